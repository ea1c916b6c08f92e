import { bigserial, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Role } from '../../core/domain/access.ts';

/** API keys. Of the secret itself only the SHA-256 is here. A key that was revoked keeps its row: the audit trail goes on naming it. */
export const keys = pgTable('keys', {
  id: bigserial({ mode: 'number' }).primaryKey(),
  /** In hexadecimal. */
  sha256: text().notNull().unique(),
  /** What it begins with, to tell it from others by; empty where that was not kept. */
  prefix: text().notNull().default(''),
  /** What it is for, in its maker's words. */
  name: text(),
  role: text().$type<Role>().notNull(),
  /** The only tenant that it sees and acts for; null for the whole fleet. */
  tenant: text(),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  createdBy: text().notNull(),
  /** Within a minute or so. */
  lastUsedAt: timestamp({ withTimezone: true }),
  expiresAt: timestamp({ withTimezone: true }),
  revokedAt: timestamp({ withTimezone: true }),
  revokedBy: text(),
});
