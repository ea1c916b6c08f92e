CREATE TABLE "proposals" (
	"id" text PRIMARY KEY NOT NULL,
	"deployment" text NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"summary" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"outlook" jsonb,
	"basis" jsonb NOT NULL,
	"fingerprint" text NOT NULL,
	"plan_id" text,
	"correction_id" bigint,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"decided_at" timestamp with time zone,
	"decided_by" text,
	"outcome" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "mode_since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "prefix" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX "proposals_deployment" ON "proposals" USING btree ("deployment","created_at");--> statement-breakpoint
CREATE INDEX "proposals_state" ON "proposals" USING btree ("state");