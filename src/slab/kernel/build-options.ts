/** What a kernel's configuration changes of its profile. */
import type { KernelProfile, MoreSysfsFile } from './profile.js';

/** Options of a kernel's configuration that caches depend on. One that is left out is as the profile has it. */
interface BuildOptions {
  /** CONFIG_HARDENED_USERCOPY: a cache remembers which bytes user space may copy. Kernels before 6.2 do in any case. */
  readonly hardenedUsercopy?: boolean | undefined;
  /** CONFIG_NUMA, on a machine of one node. */
  readonly numa?: boolean | undefined;
  /** CONFIG_KFENCE, which takes no sample. */
  readonly kfence?: boolean | undefined;
}

/** A kernel built with these options. The profile itself where they change nothing. */
export function builtWith(
  profile: KernelProfile,
  { hardenedUsercopy, numa, kfence }: BuildOptions,
): KernelProfile {
  const files = new Set(profile.moreSysfsFiles);
  const set = (file: MoreSysfsFile, there: boolean | undefined) => {
    if (there === true) files.add(file);
    if (there === false) files.delete(file);
  };
  set('usersize', hardenedUsercopy);
  set('remote_node_defrag_ratio', numa);
  set('skip_kfence', kfence);
  const usercopy = hardenedUsercopy ?? profile.hardenedUsercopy;
  const same =
    usercopy === profile.hardenedUsercopy &&
    files.size === profile.moreSysfsFiles.length &&
    profile.moreSysfsFiles.every((file) => files.has(file));
  return same ? profile : { ...profile, hardenedUsercopy: usercopy, moreSysfsFiles: [...files] };
}
