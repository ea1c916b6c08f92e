import { customType } from 'drizzle-orm/pg-core';

/** A `bytea` column that is base64 text outside the database. */
export const base64Bytes = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'bytea',
  toDriver: (text) => Buffer.from(text, 'base64'),
  fromDriver: (bytes) => bytes.toString('base64'),
});
