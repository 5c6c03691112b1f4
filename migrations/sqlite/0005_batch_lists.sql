-- The files of a batch in the order in which they came, all or those in one state: a page of a list costs the same
-- however many there are. The second holds what progress is counted from as well, so that no row has to be read for it.
CREATE INDEX jobs_batch_order ON jobs (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX jobs_batch_state ON jobs (batch, state, id, size_bytes) WHERE batch IS NOT NULL;

-- What a curator sees of the queue, and the newest documents of a collection, without looking at anybody else's.
CREATE INDEX jobs_collection ON jobs (collection, state, created_at, id);
CREATE INDEX documents_newest ON documents (collection, updated_at, id);
