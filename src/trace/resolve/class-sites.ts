/**
 * Which cache a function of the kernel allocates from, where the events leave it open: caches that were merged are freed by one name, and
 * several may have the same size. Names of functions and caches as Linux 6.1 has them; a function that allocates from more than one is in
 * the table with the distance of the objects. Where a snapshot tells which caches there were it is used only to choose among those that fit
 * (classes.ts), so a kernel in which a function has moved on is not led astray; where nothing tells, what it says is only likely.
 */
const ALLOCATES_FROM: readonly (readonly [site: string, cache: string, bytes?: number])[] = [
  ['acpi_ps_alloc_op', 'Acpi-Parse'],
  ['aio_get_req', 'aio_kiocb'],
  ['alloc_buffer_head', 'buffer_head'],
  ['alloc_iova', 'iommu_iova'],
  ['alloc_pid', 'pid'],
  ['alloc_posix_timer', 'posix_timers_cache'],
  ['alloc_uid', 'uid_cache'],
  ['alloc_unbound_pwq', 'pool_workqueue'],
  ['alloc_vmap_area', 'vmap_area'],
  ['__alloc_file', 'filp'],
  ['__d_alloc', 'dentry'],
  ['alloc_empty_file', 'filp'],
  ['anon_vma_clone', 'anon_vma_chain'],
  ['anon_vma_fork', 'anon_vma_chain', 64],
  ['__anon_vma_prepare', 'anon_vma_chain', 64],
  ['copy_fs_struct', 'fs_cache'],
  ['copy_files', 'files_cache'],
  ['dup_fd', 'files_cache'],
  ['copy_process', 'signal_cache', 960],
  ['do_epoll_ctl', 'eventpoll_epi', 128],
  ['do_epoll_ctl', 'ep_head', 16],
  ['dst_alloc', 'ip6_dst_cache', 256],
  ['dst_alloc', 'ip_dst_cache', 192],
  ['ep_insert', 'eventpoll_epi', 128],
  ['ep_ptable_queue_proc', 'eventpoll_pwq'],
  ['fasync_insert_entry', 'fasync_cache'],
  ['fib6_add', 'fib6_nodes', 64],
  ['fib6_add_1', 'fib6_nodes'],
  ['fib_insert_alias', 'ip_fib_trie'],
  ['fib_table_insert', 'ip_fib_alias'],
  ['getname_flags', 'names_cache'],
  ['getname_kernel', 'names_cache'],
  ['__inet_hash_connect', 'tcp_bind_bucket'],
  ['inet_bind_bucket_create', 'tcp_bind_bucket'],
  ['inet_bind2_bucket_create', 'tcp_bind2_bucket'],
  ['inet_getpeer', 'inet_peer_cache'],
  ['inotify_new_watch', 'inotify_inode_mark'],
  ['inotify_update_watch', 'inotify_inode_mark'],
  ['locks_alloc_lock', 'file_lock_cache'],
  ['mm_alloc', 'mm_struct'],
  ['dup_mm', 'mm_struct'],
  ['prepare_creds', 'cred_jar'],
  ['prepare_kernel_cred', 'cred_jar'],
  ['cred_alloc_blank', 'cred_jar'],
  ['locks_get_lock_context', 'file_lock_ctx'],
  ['__kernfs_new_node', 'kernfs_node_cache'],
  ['mas_alloc_nodes', 'maple_node'],
  ['pcpu_get_vm_areas', 'vmap_area'],
  ['__proc_create', 'proc_dir_entry'],
  ['proc_net_ns_init', 'proc_dir_entry'],
  ['__radix_tree_preload', 'radix_tree_node'],
  ['radix_tree_node_alloc', 'radix_tree_node'],
  ['security_file_alloc', 'lsm_file_cache'],
  ['security_inode_alloc', 'lsm_inode_cache'],
  ['__sigqueue_alloc', 'sigqueue'],
  ['__trace_define_field', 'ftrace_event_field'],
  ['vm_area_alloc', 'vm_area_struct'],
  ['vm_area_dup', 'vm_area_struct'],
  ['__x64_sys_getcwd', 'names_cache'],
  ['xas_alloc', 'radix_tree_node'],
];

/** The name of the cache, or undefined where the table does not know the function, or not with objects of this distance. */
export function cacheOfSite(site: string, bytesAlloc: number): string | undefined {
  // Compilers make copies of a function, with a suffix.
  const name = site.replace(/\.(?:constprop|isra|part|cold)\.\d+/g, '');
  return ALLOCATES_FROM.find(
    ([known, , bytes]) => known === name && (bytes === undefined || bytes === bytesAlloc),
  )?.[1];
}
