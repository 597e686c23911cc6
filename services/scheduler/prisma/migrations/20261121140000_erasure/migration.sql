-- A VM of somebody who is to be forgotten: its workspace goes as soon as its last process is gone, not after the retention.
ALTER TABLE vms ADD COLUMN erase_requested_at TIMESTAMPTZ(3);
