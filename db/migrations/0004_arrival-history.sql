CREATE TABLE "arrival_history" (
	"bucket_start" timestamp with time zone NOT NULL,
	"deployment" text NOT NULL,
	"arrivals" integer DEFAULT 0 NOT NULL,
	"input_tokens" double precision DEFAULT 0 NOT NULL,
	"input_squares" double precision DEFAULT 0 NOT NULL,
	"answers" integer DEFAULT 0 NOT NULL,
	"output_tokens" double precision DEFAULT 0 NOT NULL,
	"output_squares" double precision DEFAULT 0 NOT NULL,
	CONSTRAINT "arrival_history_bucket_start_deployment_pk" PRIMARY KEY("bucket_start","deployment")
);
--> statement-breakpoint
CREATE TABLE "arrival_history_progress" (
	"id" integer PRIMARY KEY NOT NULL,
	"through_id" bigint NOT NULL,
	"zeroed_through" timestamp with time zone NOT NULL
);
