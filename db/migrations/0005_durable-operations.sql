DROP INDEX "rollouts_one_running";--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "applied_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "replicas" ADD COLUMN "move" jsonb;--> statement-breakpoint
ALTER TABLE "replicas" ADD COLUMN "weight_before" double precision;--> statement-breakpoint
ALTER TABLE "replicas" ADD COLUMN "chat" jsonb;--> statement-breakpoint
ALTER TABLE "rollouts" ADD COLUMN "queued_behind" text;--> statement-breakpoint
ALTER TABLE "gateway_leases" ADD COLUMN "leftover" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "rollouts_one_queued" ON "rollouts" USING btree ("deployment") WHERE "rollouts"."ended_at" is null and "rollouts"."queued_behind" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "rollouts_one_running" ON "rollouts" USING btree ("deployment") WHERE "rollouts"."ended_at" is null and "rollouts"."queued_behind" is null;