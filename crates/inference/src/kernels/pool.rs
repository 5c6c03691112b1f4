//! The threads that kernels run on: one pool a process.
//!
//! A token takes some two hundred parallel pieces of 20 to 500 µs, too short for threads that sleep in between and too
//! many for a general pool. Workers look for the next piece for a moment before they sleep. Tasks are handed out one by
//! one, so a thread that the system takes off its core delays one task and not the whole piece, and a second caller
//! that finds the pool in use runs its tasks alone and waits for nobody.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::thread::Thread;
use std::{hint, ptr};

/// How often a worker looks for work before it sleeps: about 50 µs.
const LOOKS: u32 = 3000;

/// In `Pool::gate`: a job is open to workers. The bits below count the workers inside, those above number the job.
const OPEN: u64 = 1 << 31;
const COUNT: u64 = OPEN - 1;
const NUMBER: u64 = 1 << 32;

struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    next: AtomicUsize,
    tasks: usize,
    panicked: AtomicBool,
}

impl Job<'_> {
    fn work(&self) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.tasks {
                return;
            }
            // A panic must not leave a thread inside the job, whose memory ends with the caller's.
            if catch_unwind(AssertUnwindSafe(|| (self.task)(index))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
                self.next.store(self.tasks, Ordering::Relaxed);
            }
        }
    }
}

struct Pool {
    gate: AtomicU64,
    job: AtomicPtr<Job<'static>>,
    workers: Vec<Worker>,
    caller: Mutex<()>,
}

struct Worker {
    thread: OnceLock<Thread>,
    asleep: AtomicBool,
}

static THREADS: AtomicUsize = AtomicUsize::new(0);
static POOL: OnceLock<&'static Pool> = OnceLock::new();

/// Sets how many threads kernels use, the caller's included. Counts only before the first product of the process.
pub(crate) fn set_threads(threads: usize) {
    THREADS.store(threads.max(1), Ordering::Relaxed);
}

/// Threads that kernels use, the caller's included.
pub(crate) fn threads() -> usize {
    pool().workers.len() + 1
}

/// Runs `task` for every number below `tasks`, in any order, on the pool's threads and the caller's; returns when all
/// are done. A panic in a task goes on in the caller.
pub(crate) fn parallel(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    let pool = pool();
    let free = match pool.caller.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    if tasks <= 1 || pool.workers.is_empty() || free.is_none() {
        (0..tasks).for_each(task);
        return;
    }
    let job = Job { task, next: AtomicUsize::new(0), tasks, panicked: AtomicBool::new(false) };
    pool.run(&job);
    drop(free);
    if job.panicked.load(Ordering::Relaxed) {
        resume_unwind(Box::new("a task of the pool panicked"));
    }
}

fn pool() -> &'static Pool {
    POOL.get_or_init(|| {
        let threads = match THREADS.load(Ordering::Relaxed) {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let worker = || Worker { thread: OnceLock::new(), asleep: AtomicBool::new(false) };
        let pool: &'static Pool = Box::leak(Box::new(Pool {
            gate: AtomicU64::new(0),
            job: AtomicPtr::new(ptr::null_mut()),
            workers: (1..threads).map(|_| worker()).collect(),
            caller: Mutex::new(()),
        }));
        for (index, worker) in pool.workers.iter().enumerate() {
            let spawned =
                std::thread::Builder::new().name(format!("kernel-{}", index + 1)).spawn(move || pool.serve(worker));
            // Without a thread the others do its part.
            if let Ok(handle) = spawned {
                let _ = worker.thread.set(handle.thread().clone());
            }
        }
        pool
    })
}

impl Pool {
    fn run(&self, job: &Job<'_>) {
        self.job.store(ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        let number = (self.gate.load(Ordering::Relaxed) & !(NUMBER - 1)).wrapping_add(NUMBER);
        self.gate.store(number | OPEN, Ordering::SeqCst);
        for worker in &self.workers {
            if worker.asleep.load(Ordering::SeqCst)
                && let Some(thread) = worker.thread.get()
            {
                thread.unpark();
            }
        }
        job.work();
        // Closed: nobody comes in any more. Then wait for those inside, who may still be at their last task.
        let mut inside = self.gate.fetch_and(!OPEN, Ordering::AcqRel) & COUNT;
        let mut looks = 0;
        while inside > 0 {
            looks += 1;
            if looks < LOOKS {
                hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
            inside = self.gate.load(Ordering::Acquire) & COUNT;
        }
    }

    fn serve(&self, worker: &Worker) {
        let mut served = 0;
        loop {
            let gate = self.next(worker, served);
            served = gate & !(NUMBER - 1);
            let entered = self.gate.compare_exchange(gate, gate + 1, Ordering::AcqRel, Ordering::Relaxed);
            if entered.is_err() {
                // Another worker came in at the same moment, or the job ended: look again.
                served = served.wrapping_sub(NUMBER);
                continue;
            }
            let job = self.job.load(Ordering::Relaxed);
            // SAFETY: `run` stored the job before it opened the gate, and does not return before the count that was
            // just raised is lowered again, so the job is alive until then.
            unsafe { (*job).work() };
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for an open gate with another number than `served`.
    fn next(&self, worker: &Worker, served: u64) -> u64 {
        let new = |gate: u64| gate & OPEN != 0 && gate & !(NUMBER - 1) != served;
        loop {
            for _ in 0..LOOKS {
                let gate = self.gate.load(Ordering::Acquire);
                if new(gate) {
                    return gate;
                }
                hint::spin_loop();
            }
            worker.asleep.store(true, Ordering::SeqCst);
            // Looked at once more behind the mark: either this sees the open gate, or the caller sees the mark.
            if !new(self.gate.load(Ordering::SeqCst)) {
                std::thread::park();
            }
            worker.asleep.store(false, Ordering::Relaxed);
        }
    }
}

/// A pointer that tasks of one job share; each writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

// SAFETY: only a pointer; every use says why its parts don't overlap.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The pointer moved on by `offset` elements.
    ///
    /// # Safety
    /// The slice has more than `offset` elements, or exactly as many.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }

    /// `length` elements from `offset` on.
    ///
    /// # Safety
    /// They lie in the slice, and no other task touches them.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part<'a>(self, offset: usize, length: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(offset), length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_whatever_their_number() {
        for tasks in [0, 1, 2, 3, 17, 1000] {
            let ran: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..50 {
                parallel(tasks, &|index| {
                    ran[index].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(ran.iter().all(|count| count.load(Ordering::Relaxed) == 50), "{tasks}");
        }
    }

    #[test]
    fn callers_at_the_same_time_and_inside_each_other_all_finish() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..200 {
                        let sum = AtomicUsize::new(0);
                        parallel(8, &|index| {
                            parallel(2, &|inner| {
                                sum.fetch_add(index * 2 + inner, Ordering::Relaxed);
                            });
                        });
                        assert_eq!(sum.load(Ordering::Relaxed), 120, "round {round}");
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let outcome = catch_unwind(|| parallel(64, &|index| assert!(index != 40, "task 40")));
        assert!(outcome.is_err());
        let ran = AtomicUsize::new(0);
        parallel(10, &|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 10);
    }
}
