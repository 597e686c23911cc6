-- VMs that were made before their rows named a provider stay with the one that has them: without it, workspaces of those that are over were never
-- found, and a change of the default provider would have started a successor beside a VM that runs. One that nobody has started yet goes where the
-- default says.
UPDATE vms v
   SET provider = coalesce((SELECT i.provider FROM vm_instances i WHERE i.vm_id = v.id ORDER BY i.epoch DESC LIMIT 1), 'local')
 WHERE v.provider IS NULL
   AND (v.host_id IS NOT NULL OR EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id));
