//! Work that several threads do, taken back in the order in which it was handed in. Never more is under
//! way than keeps the threads busy.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{BinaryExportError, Result};

/// Something to do that knows how, given tools.
pub(super) trait Work: Debug + Send + 'static {
    /// What a thread needs, and uses again and again.
    type Tools: Debug + Send + 'static;

    /// Does it. Its outcome stays with it.
    fn run(&mut self, tools: &mut Self::Tools);
}

/// Hands work to a pool of threads, besides which the caller's own works too when it would wait.
#[derive(Debug)]
pub(super) struct Ordered<W: Work> {
    queue: Arc<Queue<W>>,
    pool: ThreadPool,
    most: usize,
}

#[derive(Debug)]
struct Queue<W: Work> {
    state: Mutex<State<W>>,
    one_is_done: Condvar,
}

#[derive(Debug)]
struct State<W: Work> {
    /// Not begun, by number.
    waiting: VecDeque<(usize, W)>,
    /// What is done, from the oldest piece of work that was not taken back on.
    done: VecDeque<Option<W>>,
    /// The number of that one.
    oldest: usize,
    /// Those that no thread of the pool uses.
    tools: Vec<W::Tools>,
    /// How long the caller waited for the pool.
    waited: Duration,
}

impl<W: Work> Ordered<W> {
    /// A pool of as many threads as tools, at least one.
    pub(super) fn new(tools: Vec<W::Tools>) -> Result<Self> {
        let threads = tools.len();
        let name = |number| format!("heapwire-{number}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        let pool = pool.map_err(|error| {
            BinaryExportError::stream("start the worker threads")(std::io::Error::other(error))
        })?;
        let (waiting, done) = (VecDeque::new(), VecDeque::new());
        let state = State { waiting, done, oldest: 0, tools, waited: Duration::ZERO };
        let queue = Queue { state: Mutex::new(state), one_is_done: Condvar::new() };
        // Each thread has one, and the next one to begin when it is done; not all end at once.
        let most = threads + threads.div_ceil(2);
        Ok(Self { queue: Arc::new(queue), pool, most })
    }

    /// Hands in a piece of work.
    pub(super) fn hand_in(&self, work: W) {
        let mut state = self.queue.lock();
        let number = state.oldest + state.done.len();
        state.done.push_back(None);
        state.waiting.push_back((number, work));
        drop(state);
        let queue = Arc::clone(&self.queue);
        self.pool.spawn(move || queue.work());
    }

    /// Hands in work that is done already and waits for its turn only.
    pub(super) fn hand_in_done(&self, work: W) {
        self.queue.lock().done.push_back(Some(work));
    }

    /// Whether all threads have enough to do while the caller does something of its own.
    pub(super) fn is_full(&self) -> bool {
        self.queue.lock().done.len() >= self.most
    }

    /// Takes back the oldest piece of work, if it is done.
    pub(super) fn take_done(&self) -> Option<W> {
        self.queue.lock().take_done()
    }

    /// Takes back the oldest piece of work, done; `None` when there is none. Works with these tools
    /// rather than wait.
    pub(super) fn take(&self, tools: &mut W::Tools) -> Option<W> {
        let mut state = self.queue.lock();
        while !state.done.is_empty() {
            if let Some(work) = state.take_done() {
                return Some(work);
            }
            match state.waiting.pop_front() {
                Some((number, mut work)) => {
                    drop(state);
                    work.run(tools);
                    state = self.queue.lock();
                    state.put_done(number, work);
                }
                None => {
                    let since = Instant::now();
                    let waited = self.queue.one_is_done.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                    state.waited += since.elapsed();
                }
            }
        }
        None
    }

    /// Once all is taken back: what the threads of the pool worked with, and how long the caller waited
    /// for them.
    pub(super) fn end(self) -> (Vec<W::Tools>, Duration) {
        let mut state = self.queue.lock();
        (std::mem::take(&mut state.tools), state.waited)
    }
}

impl<W: Work> Drop for Ordered<W> {
    /// What was not begun is never done.
    fn drop(&mut self) {
        self.queue.lock().waiting.clear();
    }
}

impl<W: Work> State<W> {
    fn take_done(&mut self) -> Option<W> {
        let work = self.done.front_mut()?.take()?;
        self.done.pop_front();
        self.oldest += 1;
        Some(work)
    }

    fn put_done(&mut self, number: usize, work: W) {
        if let Some(slot) = self.done.get_mut(number.wrapping_sub(self.oldest)) {
            *slot = Some(work);
        }
    }
}

impl<W: Work> Queue<W> {
    /// A thread that panicked left the queue as it should be: it held no lock while it worked.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread of the pool does for each piece of work that was handed in.
    fn work(&self) {
        let mut state = self.lock();
        let Some((number, mut work)) = state.waiting.pop_front() else { return };
        // There are as many as threads.
        let Some(mut tools) = state.tools.pop() else { return };
        drop(state);
        work.run(&mut tools);
        let mut state = self.lock();
        state.tools.push(tools);
        state.put_done(number, work);
        self.one_is_done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares a number, the slower the smaller it is.
    #[derive(Debug)]
    struct Square(u64);

    impl Work for Square {
        type Tools = u64;

        fn run(&mut self, worked: &mut u64) {
            let rounds = 20_000 / (self.0 % 7 + 1);
            let sum = (0..rounds).fold(0_u64, |sum, i| std::hint::black_box(sum ^ i));
            *worked += u64::from(sum != u64::MAX);
            self.0 *= self.0;
        }
    }

    #[test]
    fn work_comes_back_in_order_and_done() {
        for threads in [1, 2, 8] {
            let ordered = Ordered::new(vec![0; threads]).unwrap();
            let (mut next, mut own) = (0, 0);
            let mut check = |Square(square): Square| {
                assert_eq!(square, next * next);
                next += 1;
            };
            for number in 0..1000 {
                match number % 10 {
                    9 => ordered.hand_in_done(Square(number * number)),
                    _ => ordered.hand_in(Square(number)),
                }
                while let Some(done) = ordered.take_done() {
                    check(done);
                }
                while ordered.is_full() {
                    check(ordered.take(&mut own).expect("some is under way"));
                }
            }
            while let Some(done) = ordered.take(&mut own) {
                check(done);
            }
            assert_eq!(next, 1000);
            let theirs = ordered.queue.lock().tools.iter().sum::<u64>();
            assert_eq!(own + theirs, 900);
        }
    }

    #[test]
    fn what_was_not_begun_is_dropped_with_the_queue() {
        let ordered = Ordered::new(vec![0; 1]).unwrap();
        (0..100).for_each(|number| ordered.hand_in(Square(number)));
        drop(ordered);
    }
}
