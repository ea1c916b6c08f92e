/**
 * Messages and stack traces of failures as payloads, which codecs then encrypt like any other. CommonJS, because Temporal's SDK requires it by
 * its path. It is in every workflow bundle, and does something only where `bin/codec.ts` has said so: a sandbox has no environment to read.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = globalThis.uellmEncodesFailures ? new DefaultFailureConverter({ encodeCommonAttributes: true }) : undefined;
