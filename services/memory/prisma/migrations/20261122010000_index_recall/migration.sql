-- How many of the ten nearest the index over vectors finds, by tenant and model. Numbers about vectors, no content: read without row security, like models.
CREATE TABLE index_recall (
  tenant_id   TEXT NOT NULL,
  model_id    TEXT NOT NULL,
  recall      DOUBLE PRECISION NOT NULL,
  measured_at TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT index_recall_pkey PRIMARY KEY (tenant_id, model_id),
  CONSTRAINT index_recall_model_fkey FOREIGN KEY (model_id) REFERENCES embedding_model (id) ON DELETE CASCADE
);
