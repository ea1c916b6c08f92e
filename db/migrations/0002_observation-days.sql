CREATE TABLE "monitor_memory" (
	"id" integer PRIMARY KEY NOT NULL,
	"memory" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);--> statement-breakpoint
CREATE TABLE "tenants" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);--> statement-breakpoint
ALTER TABLE "corrections" ADD COLUMN "change" jsonb;--> statement-breakpoint
ALTER TABLE "corrections" ADD COLUMN "state" text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE "corrections" ADD COLUMN "attainment_before" double precision;--> statement-breakpoint
ALTER TABLE "corrections" ADD COLUMN "attainment_after" double precision;--> statement-breakpoint
ALTER TABLE "corrections" ADD COLUMN "undo_reason" text;--> statement-breakpoint
ALTER TABLE "profiler_snapshots" ADD COLUMN "reason" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "profiler_snapshots" ADD COLUMN "based_on" integer;--> statement-breakpoint
ALTER TABLE "replicas" ADD COLUMN "kv_share" double precision DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "replicas" ADD COLUMN "max_in_flight_share" double precision DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway_leases" ADD COLUMN "gauges" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
-- drizzle cannot express partitions: what follows of observations is written by hand.
LOCK TABLE "observations" IN ACCESS EXCLUSIVE MODE;--> statement-breakpoint
ALTER SEQUENCE "observations_id_seq" OWNED BY NONE;--> statement-breakpoint
ALTER TABLE "observations" RENAME TO "observations_before";--> statement-breakpoint
ALTER TABLE "observations_before" DROP CONSTRAINT "observations_requestId_unique", DROP CONSTRAINT "observations_pkey";--> statement-breakpoint
DROP INDEX "observations_accepted";--> statement-breakpoint
DROP INDEX "observations_deployment";--> statement-breakpoint
CREATE TABLE "observations" (
	"id" bigint DEFAULT nextval('observations_id_seq') NOT NULL,
	"request_id" text NOT NULL,
	"accepted_at" timestamp with time zone NOT NULL,
	"gateway_id" text NOT NULL,
	"model" text NOT NULL,
	"deployment" text NOT NULL,
	"revision" integer,
	"replica_id" text,
	"tenant" text NOT NULL,
	"class" text NOT NULL,
	"policy" text NOT NULL,
	"outcome" text NOT NULL,
	"streamed" boolean NOT NULL,
	"input_tokens" integer NOT NULL,
	"output_tokens" integer,
	"max_tokens" integer,
	"predicted_output_p_50" double precision,
	"predicted_output_p_90" double precision,
	"predicted_ttft_ms" double precision,
	"snapshot_version" integer,
	"queue_ms" double precision,
	"ttft_ms" double precision,
	"tpot_ms" double precision,
	"e2e_ms" double precision,
	"attained" boolean,
	"features" "bytea",
	"feature_key" text,
	CONSTRAINT "observations_id_accepted_at_pk" PRIMARY KEY("id","accepted_at"),
	CONSTRAINT "observations_request" UNIQUE("request_id","accepted_at")
) PARTITION BY RANGE ("accepted_at");
--> statement-breakpoint
ALTER SEQUENCE "observations_id_seq" OWNED BY "observations"."id";--> statement-breakpoint
CREATE INDEX "observations_accepted" ON "observations" USING btree ("accepted_at");--> statement-breakpoint
CREATE INDEX "observations_deployment" ON "observations" USING btree ("deployment","accepted_at");--> statement-breakpoint
CREATE TABLE "observations_default" PARTITION OF "observations" DEFAULT;--> statement-breakpoint
-- The days that have observations and that clocks can be believed about; whatever else there is goes to the default partition.
DO $$
DECLARE
	first timestamp with time zone;
BEGIN
	FOR first IN
		SELECT DISTINCT date_trunc('day', "accepted_at", 'UTC') FROM "observations_before"
		WHERE "accepted_at" BETWEEN now() - interval '90 days' AND now() + interval '1 day'
	LOOP
		EXECUTE format('CREATE TABLE %I PARTITION OF "observations" FOR VALUES FROM (%L) TO (%L)',
			'observations_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD'), first, first + interval '24 hours');
	END LOOP;
END $$;--> statement-breakpoint
INSERT INTO "observations" SELECT *, NULL, NULL FROM "observations_before";--> statement-breakpoint
DROP TABLE "observations_before";--> statement-breakpoint
-- What earlier releases corrected is nobody's to watch any more.
UPDATE "corrections" SET "state" = CASE WHEN "undone_at" IS NULL THEN 'kept' ELSE 'undone' END;