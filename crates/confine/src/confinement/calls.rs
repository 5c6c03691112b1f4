//! Which system calls a worker may make, by seccomp (seccomp(2)): what a program needs that computes with threads.

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allowed with whatever arguments. None of them reaches anything outside the process but its open descriptors.
const ALLOWED: &[i64] = &[
    // its pipes
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    // memory; `mmap` and `mprotect` stand below
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // threads
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // its own signals: stack overflow, abort
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    // time and randomness
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// Answered with "permission denied" rather than death: libraries look for the number of processors, time zones or a
/// terminal, and go on without.
const DENIED: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_ioctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// glibc names its arenas (prctl(2), `PR_SET_VMA`).
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Restricts all threads of this process, for good.
///
/// # Errors
/// The kernel lacks seccomp, or we run on a processor that the list was not written for.
pub(super) fn restrict() -> Result<(), Error> {
    // The strictest answer of all filters counts. The one that kills comes last: it forbids adding more.
    for program in [
        answering(DENIED, libc::EACCES)?,
        // Its flags lie in memory, where a filter cannot look. glibc then takes `clone`, whose flags it can see.
        answering(&[libc::SYS_clone3], libc::ENOSYS)?,
        killing_all_but(allowed()?)?,
    ] {
        apply_filter_all_threads(&program)?;
    }
    Ok(())
}

fn answering(calls: &[i64], error: i32) -> Result<BpfProgram, Error> {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    program(rules, SeccompAction::Allow, SeccompAction::Errno(error.unsigned_abs()))
}

fn killing_all_but(rules: Rules) -> Result<BpfProgram, Error> {
    program(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

fn program(rules: Rules, otherwise: SeccompAction, matching: SeccompAction) -> Result<BpfProgram, Error> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, otherwise, matching, architecture)?.try_into()?)
}

fn allowed() -> Result<Rules, Error> {
    let always = ALLOWED.iter().chain(DENIED).chain(&[libc::SYS_clone3]);
    let mut rules: Rules = always.map(|call| (*call, Vec::new())).collect();
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let execute = u64::from(libc::PROT_EXEC.unsigned_abs());
    rules.insert(libc::SYS_clone, vec![all(&[masked(0, thread, thread)?])?]);
    // No new code.
    rules.insert(libc::SYS_mmap, vec![all(&[masked(2, execute, 0)?])?]);
    rules.insert(libc::SYS_mprotect, vec![all(&[masked(2, execute, 0)?])?]);
    // Signals to itself only.
    rules.insert(libc::SYS_tgkill, vec![all(&[equal(0, u64::from(std::process::id()))?])?]);
    let names = [u64::from(libc::PR_SET_NAME.unsigned_abs()), u64::from(libc::PR_GET_NAME.unsigned_abs()), PR_SET_VMA];
    rules.insert(libc::SYS_prctl, any_of(0, &names)?);
    // Looking at its own limits, not setting them.
    rules.insert(libc::SYS_prlimit64, vec![all(&[equal(0, 0)?, masked(2, u64::MAX, 0)?])?]);
    let questions = [u64::from(libc::F_GETFD.unsigned_abs()), u64::from(libc::F_GETFL.unsigned_abs())];
    rules.insert(libc::SYS_fcntl, any_of(1, &questions)?);
    Ok(rules)
}

fn all(conditions: &[SeccompCondition]) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(conditions.to_vec())?)
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    values.iter().map(|value| all(&[equal(argument, *value)?])).collect()
}

/// The lower half of the argument, which is all of it for numbers that C calls `int`.
fn equal(argument: u8, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)?)
}
