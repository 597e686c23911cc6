-- What the scheduler's tables need once after they were restored from a backup, before the first replica starts (`plexus backup restore`, `plexus backup settle`).

-- Epochs were given out after the backup, also by a restore of the same backup that was tried before. One cluster starts far fewer than a hundred VMs a second
-- for long, and a million at once never; the pulse says when the scheduler was last alive here.
SELECT setval(
  'vm_epoch_seq',
  (SELECT last_value FROM vm_epoch_seq) + 1000000
    + coalesce((SELECT 100 * greatest(0, extract(epoch FROM clock_timestamp() - max(at)))::bigint FROM scheduler_pulse), 0)
);

-- Incarnations that were alive then may still run, with frames and acknowledgements that these tables know nothing of: each gets an epoch that nobody
-- bears, so that the survivor is refused, and is ended. The VM starts anew at once, and its open runs are handed over again. Without a lease nothing is
-- forgiven because the scheduler was away.
CREATE TEMP TABLE plexus_fenced ON COMMIT DROP AS
  SELECT v.id, v.current_epoch AS former, nextval('vm_epoch_seq') AS epoch
    FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = v.current_epoch
   WHERE i.phase <> 'gone';
UPDATE vm_instances i SET epoch = f.epoch, gateway = NULL, lease_until = NULL FROM plexus_fenced f WHERE i.vm_id = f.id AND i.epoch = f.former;
UPDATE vms v SET current_epoch = f.epoch, row_version = row_version + 1, claim_owner = NULL, claim_until = NULL, next_action_at = clock_timestamp()
  FROM plexus_fenced f WHERE v.id = f.id;
UPDATE vms v SET state = 'stopping', state_since = clock_timestamp(), deadline_at = clock_timestamp(), drain_reason = NULL,
       stop_target = CASE WHEN v.pool_id IS NULL THEN 'requested' ELSE 'terminated' END, reason_code = 'RESTORED', reason_text = 'Its tables were restored from a backup.'
  FROM plexus_fenced f WHERE v.id = f.id AND v.host_id IS NULL AND v.state IN ('provisioning', 'booting', 'warm', 'ready', 'suspect', 'draining', 'pausing');

-- What ran on a host of its own is that host's to end, and the host may be gone for good: another one takes the VM, with an empty workspace where it has none.
-- A survivor is refused as above, and ended by its host as a program that no VM owns.
UPDATE vm_instances i SET phase = 'gone', gone_at = clock_timestamp(), exit_reason = 'RESTORED'
  FROM plexus_fenced f JOIN vms v ON v.id = f.id WHERE i.epoch = f.epoch AND v.host_id IS NOT NULL;
UPDATE vms v SET state = CASE WHEN v.pool_id IS NULL THEN 'requested' ELSE 'terminated' END, state_since = clock_timestamp(), host_id = NULL, deadline_at = NULL,
       stop_target = NULL, drain_reason = NULL, allow_empty_workspace = true, reason_code = 'RESTORED', reason_text = 'Its tables were restored from a backup.'
  FROM plexus_fenced f WHERE v.id = f.id AND v.host_id IS NOT NULL
   AND v.state IN ('provisioning', 'booting', 'warm', 'ready', 'suspect', 'draining', 'pausing', 'stopping');

-- Hosts say that they are there when their scheduler starts. Those of the backup would be given VMs until their silence is noticed.
DELETE FROM hosts;
