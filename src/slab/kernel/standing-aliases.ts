/**
 * The names that share a cache on a machine that has just booted, behind the name of the one that made it (standing-6.1.ts,
 * standing-6.12.ts): the links of /sys/kernel/slab, as truth/sysfs-slub.json.gz and truth/6.12/sysfs-slub.json.gz list them.
 */
export type StandingAliases = readonly [cache: string, ...aliases: string[]];

// biome-ignore format: a table
export const STANDING_ALIASES_6_1: readonly StandingAliases[] = [
  ['vmap_area', 'iommu_iova', 'jbd2_inode', 'ovl_aio_req'],
  ['maple_node', 'biovec-16', 'pool_workqueue', 'sgpool-8'],
  ['ftrace_event_field', 'Acpi-Parse', 'file_lock_ctx'],
  ['Acpi-Namespace', 'ext4_bio_post_read_ctx'],
  ['Acpi-State', 'Acpi-ParseExt'],
  ['pid', 'eventpoll_epi'],
  ['anon_vma_chain', 'eventpoll_pwq', 'fib6_nodes', 'fs_cache', 'tcp_bind2_bucket', 'tcp_bind_bucket'],
  ['signal_cache', 'PING', 'UNIX', 'UNIX-STREAM'],
  ['filp', 'ip6_dst_cache', 'posix_timers_cache'],
  ['sigqueue', 'inotify_inode_mark'],
  ['buffer_head', 'ext4_prealloc_space'],
  ['fsnotify_mark_connector', 'ext4_io_end_vec'],
  ['uid_cache', 'aio_kiocb', 'inet_peer_cache', 'ip_dst_cache'],
  ['biovec-64', 'sgpool-32'],
  ['biovec-128', 'sgpool-64'],
  ['biovec-max', 'sgpool-128'],
  ['UDP', 'UDP-Lite'],
  ['ip_fib_trie', 'fasync_cache'],
  ['mbcache', 'ext4_free_data', 'jbd2_journal_handle'],
  ['ext4_pending_reservation', 'jbd2_revoke_record_s'],
  ['UDPv6', 'UDPLITEv6'],
];

// biome-ignore format: a table
export const STANDING_ALIASES_6_12: readonly StandingAliases[] = [
  ['kmalloc-rcl-16', 'jbd2_revoke_table_s'],
  ['kmalloc-rcl-32', 'jbd2_revoke_record_s', 'pending_reservation'],
  ['kmalloc-rcl-64', 'ext4_io_end'],
  ['kmalloc-rcl-256', 'jbd2_transaction_s'],
  ['kmalloc-cg-192', 'cred', 'netfs_subrequest'],
  ['kmalloc-cg-64', 'anon_vma_chain', 'eventpoll_pwq', 'fib6_node', 'fs_cache', 'tcp_bind2_bucket', 'tcp_bind_bucket'],
  ['kmalloc-cg-128', 'eventpoll_epi', 'pid'],
  ['kmalloc-cg-256', 'ip6_dst_cache', 'posix_timers_cache'],
  ['vmap_area', 'Acpi-Operand'],
  ['maple_node', 'biovec-16', 'sgpool-8'],
  ['pool_workqueue', 'sgpool-16'],
  ['ftrace_event_field', 'Acpi-Parse', 'file_lock_ctx'],
  ['Acpi-State', 'Acpi-ParseExt', 'kernfs_iattrs_cache'],
  ['signal_cache', 'PING', 'RAW', 'UNIX', 'UNIX-STREAM'],
  ['vma_lock', 'pde_opener'],
  ['names_cache', 'biovec-max', 'sgpool-128'],
  ['sigqueue', 'inotify_inode_mark'],
  ['proc_dir_entry', 'aio_kiocb', 'file_lock_cache', 'inet_peer', 'rtable', 'uid_cache'],
  ['buffer_head', 'ext4_fc_dentry_update'],
  ['iommu_iova', 'jbd2_inode'],
  ['iommu_iova_magazine', 'biovec-64', 'sgpool-32'],
  ['biovec-128', 'sgpool-64'],
  ['UDP', 'UDP-Lite'],
  ['ip_fib_trie', 'fasync_cache'],
  ['mb_cache_entry', 'ext4_free_data', 'jbd2_journal_handle'],
  ['UDPv6', 'UDPLITEv6'],
  ['RAWv6', 'PINGv6'],
];
