DROP INDEX "observations_accepted";--> statement-breakpoint
ALTER TABLE "gateway_leases" ADD COLUMN "scheduler_policy" text;--> statement-breakpoint
CREATE INDEX "observations_attainment" ON "observations" USING btree ("accepted_at","policy","attained","deployment","tenant");