CREATE TABLE "audit" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"before" jsonb,
	"after" jsonb
);
--> statement-breakpoint
CREATE TABLE "corrections" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"evidence" jsonb NOT NULL,
	"action" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"undone_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "deployments" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"latest_revision" integer,
	"current_revision" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "revisions" (
	"deployment" text NOT NULL,
	"number" integer NOT NULL,
	"spec" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "revisions_deployment_number_pk" PRIMARY KEY("deployment","number")
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"liveness" text DEFAULT 'pending' NOT NULL,
	"service" text DEFAULT 'schedulable' NOT NULL,
	"reason" text DEFAULT '' NOT NULL,
	"last_seen_at" timestamp with time zone,
	"drain" jsonb,
	"external" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "models" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "observations" (
	"id" bigserial PRIMARY KEY NOT NULL,
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
	CONSTRAINT "observations_requestId_unique" UNIQUE("request_id")
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"id" text PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"subject" text NOT NULL,
	"based_on" text,
	"moves" jsonb NOT NULL,
	"report" jsonb NOT NULL,
	"state" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "profiler_snapshots" (
	"version" integer PRIMARY KEY NOT NULL,
	"snapshot" jsonb NOT NULL,
	"scores" jsonb NOT NULL,
	"trained_through_id" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "step_time_profiles" (
	"model" text NOT NULL,
	"accelerator" text NOT NULL,
	"tensor_parallel" integer NOT NULL,
	"source" text NOT NULL,
	"coefficients" jsonb NOT NULL,
	"error_percent" double precision,
	"replica_id" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "step_time_profiles_model_accelerator_tensor_parallel_pk" PRIMARY KEY("model","accelerator","tensor_parallel")
);
--> statement-breakpoint
CREATE TABLE "accelerator_claims" (
	"host" text NOT NULL,
	"accelerator" integer NOT NULL,
	"replica_id" text NOT NULL,
	CONSTRAINT "accelerator_claims_host_accelerator_pk" PRIMARY KEY("host","accelerator")
);
--> statement-breakpoint
CREATE TABLE "replicas" (
	"id" text PRIMARY KEY NOT NULL,
	"model" text NOT NULL,
	"deployment" text NOT NULL,
	"revision" integer NOT NULL,
	"host" text NOT NULL,
	"accelerators" integer[] NOT NULL,
	"accelerator_kind" text NOT NULL,
	"tensor_parallel" integer NOT NULL,
	"engine" text NOT NULL,
	"endpoint" text,
	"state" text NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"weight" double precision DEFAULT 0 NOT NULL,
	"simulated" boolean NOT NULL,
	"reason" text DEFAULT '' NOT NULL,
	"plan_id" text,
	"capacity_requests_per_second" double precision,
	"max_in_flight" integer DEFAULT 256 NOT NULL,
	"kv_cache_tokens" integer,
	"step_time" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "rollouts" (
	"id" text PRIMARY KEY NOT NULL,
	"deployment" text NOT NULL,
	"revision" integer NOT NULL,
	"from_revision" integer,
	"workflow_id" text NOT NULL,
	"status" jsonb NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "gateway_leases" (
	"gateway_id" text PRIMARY KEY NOT NULL,
	"address" text NOT NULL,
	"routing_version" bigint NOT NULL,
	"in_flight" jsonb NOT NULL,
	"finished" jsonb NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"renewed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "routing_version" (
	"id" integer PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "slo_policies" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "slo_policy_versions" (
	"name" text NOT NULL,
	"version" integer NOT NULL,
	"spec" jsonb,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "slo_policy_versions_name_version_pk" PRIMARY KEY("name","version")
);
--> statement-breakpoint
ALTER TABLE "accelerator_claims" ADD CONSTRAINT "accelerator_claims_replica_id_replicas_id_fk" FOREIGN KEY ("replica_id") REFERENCES "public"."replicas"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_object" ON "audit" USING btree ("kind","name");--> statement-breakpoint
CREATE INDEX "observations_accepted" ON "observations" USING btree ("accepted_at");--> statement-breakpoint
CREATE INDEX "observations_deployment" ON "observations" USING btree ("deployment","accepted_at");--> statement-breakpoint
CREATE INDEX "plans_created" ON "plans" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "replicas_deployment" ON "replicas" USING btree ("deployment","state");--> statement-breakpoint
CREATE INDEX "replicas_host" ON "replicas" USING btree ("host","state");--> statement-breakpoint
CREATE UNIQUE INDEX "rollouts_one_running" ON "rollouts" USING btree ("deployment") WHERE "rollouts"."ended_at" is null;--> statement-breakpoint
INSERT INTO "routing_version" ("id", "version") VALUES (1, 1);
