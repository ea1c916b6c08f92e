/**
 * A terminal that is closed, or a reader that ends (`uellm up | head`), takes our output with it. That must not end the supervisor on the
 * spot: everything that it started would be left behind. What nobody reads any more is lost, and the end comes in order.
 */
export function surviveClosedOutput(streams: readonly NodeJS.EventEmitter[] = [process.stdout, process.stderr]): void {
  for (const stream of streams) stream.on('error', () => undefined);
}
