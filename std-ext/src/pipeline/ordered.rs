//! Work that several threads do, taken back in the order in which it was handed in. Never more is under
//! way than keeps the threads busy.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::config::LoadBalancingStrategy;
use crate::error::{BinaryExportError, Result};
use crate::plan::Balancing;

/// Something to do that knows how, given tools.
pub(super) trait Work: Debug + Send + 'static {
    /// What a thread needs, and uses again and again.
    type Tools: Debug + Send + 'static;

    /// Does it. Its outcome stays with it.
    fn run(&mut self, tools: &mut Self::Tools);
}

/// Hands work to a pool of threads, besides which the caller's own works too.
#[derive(Debug)]
pub(super) struct Ordered<W: Work> {
    queue: Arc<Queue<W>>,
    pool: ThreadPool,
    workers: usize,
    strategy: LoadBalancingStrategy,
}

#[derive(Debug)]
struct Queue<W: Work> {
    state: Mutex<State<W>>,
    one_is_done: Condvar,
}

#[derive(Debug)]
struct State<W: Work> {
    /// Not begun, the oldest first.
    waiting: VecDeque<Waiting<W>>,
    /// What is done, from the oldest piece of work that was not taken back on.
    done: VecDeque<Option<W>>,
    /// The number of that one.
    oldest: usize,
    /// The tools of each worker, `None` while it works. There are as many workers as threads in the
    /// pool, though not always the same thread is the same worker.
    tools: Vec<Option<W::Tools>>,
    /// Whether a worker takes what was given to another.
    stealing: bool,
    /// How long the caller waited for the pool.
    waited: Duration,
}

#[derive(Debug)]
struct Waiting<W> {
    number: usize,
    whose: Whose,
    work: W,
}

/// Who a piece of work was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Anyones,
    Workers(usize),
    Callers,
}

/// A piece of work that was taken back.
#[derive(Debug)]
pub(super) enum Taken<W> {
    Done(W),
    /// Not begun.
    Waiting(W),
}

/// How much may wait for so many workers or be done by them: each has one piece, and the next one to begin when it
/// is done; and one more for whoever is done with that while the caller, which also brings all of them, still does a
/// piece of its own.
const fn enough(workers: usize) -> usize {
    2 * workers + 1
}

/// How much may be under way with so many workers: so has the caller one piece, which may take as long.
pub(crate) const fn most_under_way(workers: usize) -> usize {
    enough(workers) + 1
}

/// How much may be done and wait for the oldest piece, if its worker is slow or held up.
pub(crate) const fn most_done(workers: usize) -> usize {
    2 * most_under_way(workers)
}

impl<W: Work> Ordered<W> {
    /// A pool of as many threads as tools, at least one.
    pub(super) fn new(tools: Vec<W::Tools>, balancing: Balancing) -> Result<Self> {
        let workers = tools.len();
        let name = |number| format!("heapwire-{number}");
        let pool = ThreadPoolBuilder::new().num_threads(workers).thread_name(name).build();
        let pool = pool.map_err(|error| {
            BinaryExportError::stream("start the worker threads")(std::io::Error::other(error))
        })?;
        let state = State {
            waiting: VecDeque::new(),
            done: VecDeque::new(),
            oldest: 0,
            tools: tools.into_iter().map(Some).collect(),
            stealing: balancing.stealing,
            waited: Duration::ZERO,
        };
        let queue = Queue { state: Mutex::new(state), one_is_done: Condvar::new() };
        Ok(Self { queue: Arc::new(queue), pool, workers, strategy: balancing.strategy })
    }

    /// Hands in a piece of work.
    pub(super) fn hand_in(&self, work: W) {
        let state = self.queue.lock();
        let number = state.next_number();
        let whose = match self.strategy {
            LoadBalancingStrategy::WorkStealing => Whose::Anyones,
            LoadBalancingStrategy::RoundRobin => Whose::Workers(self.turn(number) % self.workers),
            LoadBalancingStrategy::LeastLoaded => state.least_loaded(),
        };
        self.give(state, whose, work);
    }

    /// Hands in a piece of work that is the caller's own, unless a worker has nothing else to do and may
    /// take what was given to others.
    pub(super) fn hand_in_for_caller(&self, work: W) {
        self.give(self.queue.lock(), Whose::Callers, work);
    }

    fn give(&self, mut state: MutexGuard<'_, State<W>>, whose: Whose, work: W) {
        let number = state.next_number();
        state.done.push_back(None);
        state.waiting.push_back(Waiting { number, whose, work });
        drop(state);
        let queue = Arc::clone(&self.queue);
        self.pool.spawn(move || queue.work());
    }

    /// Hands in work that is done already and waits for its turn only.
    pub(super) fn hand_in_done(&self, work: W) {
        self.queue.lock().done.push_back(Some(work));
    }

    /// Pieces that were handed in and not taken back.
    pub(super) fn under_way(&self) -> usize {
        self.queue.lock().done.len()
    }

    /// Whether as much is under way as may be.
    pub(super) fn is_full(&self) -> bool {
        self.under_way() >= most_under_way(self.workers)
    }

    /// Whether all threads have enough to do while the caller does a piece of its own. What is done in
    /// turn is never too much for them.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.queue.lock();
        let is_enough = || state.unfinished() >= enough(self.workers);
        self.strategy != LoadBalancingStrategy::RoundRobin
            && (is_enough() || state.done.len() >= most_under_way(self.workers))
    }

    /// Whether the next piece of work is the caller's own, since work is done in turn.
    pub(super) fn is_callers_turn(&self) -> bool {
        self.strategy == LoadBalancingStrategy::RoundRobin && self.is_its_turn(&self.queue.lock())
    }

    /// Whether the caller has to take something back before it goes on.
    pub(super) fn is_overfull(&self) -> bool {
        let state = self.queue.lock();
        let most = match self.strategy {
            LoadBalancingStrategy::RoundRobin if !self.is_its_turn(&state) => {
                most_under_way(self.workers)
            }
            _ => most_done(self.workers),
        };
        state.done.len() >= most
    }

    fn is_its_turn(&self, state: &State<W>) -> bool {
        self.turn(state.next_number()) == self.workers
    }

    /// Whose turn a piece of work is: a worker's, or at last the caller's.
    fn turn(&self, number: usize) -> usize {
        number % (self.workers + 1)
    }

    /// Takes back the oldest piece of work, if it is done.
    pub(super) fn take_done(&self) -> Option<W> {
        self.queue.lock().take_done()
    }

    /// Takes back the oldest piece of work, done; `None` when there is none. Works with these tools
    /// rather than wait, if that may be.
    pub(super) fn take(&self, tools: &mut W::Tools) -> Option<W> {
        let mut work = self.take_oldest(tools)?;
        if let Taken::Waiting(work) = &mut work {
            work.run(tools);
        }
        let (Taken::Done(work) | Taken::Waiting(work)) = work;
        Some(work)
    }

    /// As [`take`](Self::take), but if nobody has begun the oldest piece, and the caller may, it comes
    /// back as it is.
    pub(super) fn take_oldest(&self, tools: &mut W::Tools) -> Option<Taken<W>> {
        let mut state = self.queue.lock();
        while !state.done.is_empty() {
            if let Some(work) = state.take_done() {
                return Some(Taken::Done(work));
            }
            match state.next_for(Whose::Callers) {
                Some((number, work)) if number == state.oldest => {
                    state.pass_oldest();
                    return Some(Taken::Waiting(work));
                }
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
        (state.tools.drain(..).flatten().collect(), state.waited)
    }
}

impl<W: Work> Drop for Ordered<W> {
    /// What was not begun is never done.
    fn drop(&mut self) {
        self.queue.lock().waiting.clear();
    }
}

impl<W: Work> State<W> {
    fn next_number(&self) -> usize {
        self.oldest + self.done.len()
    }

    /// What one of those who work does next: what was given to it or to none, before what was given to
    /// another.
    fn next_for(&mut self, whose: Whose) -> Option<(usize, W)> {
        let is_own =
            |waiting: &Waiting<W>| waiting.whose == Whose::Anyones || waiting.whose == whose;
        let own = self.waiting.iter().position(is_own);
        let at = own.or((self.stealing && !self.waiting.is_empty()).then_some(0))?;
        self.waiting.remove(at).map(|Waiting { number, work, .. }| (number, work))
    }

    fn least_loaded(&self) -> Whose {
        let load = |worker: &usize| {
            let works = self.tools.get(*worker).is_some_and(Option::is_none);
            let waiting = self.waiting.iter().filter(|w| w.whose == Whose::Workers(*worker));
            waiting.count() + usize::from(works)
        };
        (0..self.tools.len()).min_by_key(load).map_or(Whose::Anyones, Whose::Workers)
    }

    /// Pieces that are not done: waiting, or a worker has them.
    fn unfinished(&self) -> usize {
        self.done.iter().filter(|work| work.is_none()).count()
    }

    fn take_done(&mut self) -> Option<W> {
        let work = self.done.front_mut()?.take()?;
        self.pass_oldest();
        Some(work)
    }

    /// The oldest piece is taken back.
    fn pass_oldest(&mut self) {
        self.done.pop_front();
        self.oldest += 1;
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

    /// What a thread of the pool does whenever work was handed in: as an idle worker that there is some
    /// for, it goes on until there is none.
    fn work(&self) {
        let mut state = self.lock();
        for worker in 0..state.tools.len() {
            let Some(mut tools) = state.tools.get_mut(worker).and_then(Option::take) else {
                continue;
            };
            while let Some((number, mut work)) = state.next_for(Whose::Workers(worker)) {
                drop(state);
                work.run(&mut tools);
                state = self.lock();
                state.put_done(number, work);
                self.one_is_done.notify_all();
            }
            if let Some(place) = state.tools.get_mut(worker) {
                *place = Some(tools);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use LoadBalancingStrategy::{LeastLoaded, RoundRobin, WorkStealing};

    use super::*;

    const BALANCINGS: [Balancing; 5] = [
        Balancing { strategy: WorkStealing, stealing: true },
        Balancing { strategy: RoundRobin, stealing: true },
        Balancing { strategy: RoundRobin, stealing: false },
        Balancing { strategy: LeastLoaded, stealing: true },
        Balancing { strategy: LeastLoaded, stealing: false },
    ];

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
        for (threads, balancing) in [1, 2, 8].into_iter().flat_map(|n| BALANCINGS.map(|b| (n, b))) {
            let ordered = Ordered::new(vec![0; threads], balancing).unwrap();
            let (mut next, mut own) = (0, 0);
            let mut check = |Square(square): Square| {
                assert_eq!(square, next * next);
                next += 1;
            };
            for number in 0..500 {
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
            assert_eq!(next, 500);
            let state = ordered.queue.lock();
            let theirs = state.tools.iter().flatten().sum::<u64>();
            assert_eq!(own + theirs, 450, "{balancing:?}");
            assert!(balancing.stealing || own == 0, "the caller takes what is another's");
        }
    }

    /// Waits for the others at a barrier, so that who does what does not depend on time.
    #[derive(Debug)]
    struct Meet(Option<Arc<std::sync::Barrier>>);

    impl Work for Meet {
        type Tools = u64;

        fn run(&mut self, worked: &mut u64) {
            *worked += 1;
            if let Some(barrier) = &self.0 {
                barrier.wait();
            }
        }
    }

    /// Two workers: the first is held up by its first piece until the caller lets it go. How many
    /// of eight pieces each has done by then, and in the end.
    fn shares(balancing: Balancing) -> [Vec<u64>; 2] {
        let ordered = Ordered::new(vec![0; 2], balancing).unwrap();
        let barrier = Arc::new(std::sync::Barrier::new(2));
        ordered.hand_in(Meet(Some(Arc::clone(&barrier))));
        while ordered.queue.lock().tools.iter().all(Option::is_some) {
            std::thread::yield_now();
        }
        (1..8).for_each(|_| ordered.hand_in(Meet(None)));
        // The other one goes on until there is nothing more that it may do.
        let counts = || -> Vec<u64> {
            ordered.queue.lock().tools.iter().map(|tools| tools.unwrap_or(0)).collect()
        };
        let is_own = |w: &Waiting<Meet>| balancing.stealing || w.whose != Whose::Workers(0);
        loop {
            let state = ordered.queue.lock();
            if !state.waiting.iter().any(is_own) && state.tools.iter().flatten().count() == 1 {
                break;
            }
            drop(state);
            std::thread::yield_now();
        }
        let held_up = counts();
        barrier.wait();
        while ordered.queue.lock().done.iter().any(Option::is_none) {
            std::thread::yield_now();
        }
        while ordered.queue.lock().tools.iter().any(Option::is_none) {
            std::thread::yield_now();
        }
        [held_up, counts()]
    }

    #[test]
    fn a_worker_that_is_held_up_is_relieved_if_stealing_may_be() {
        for balancing in BALANCINGS {
            let [held_up, end] = shares(balancing);
            let expected = match (balancing.strategy, balancing.stealing) {
                (_, true) => [[0, 7], [1, 7]],
                // Every third is the caller's, which here hands all in: 0, 2, 3, 5, 6 and 1, 4, 7.
                (_, false) if balancing.strategy == RoundRobin => [[0, 3], [5, 3]],
                // Which of two equals gets a piece depends on how far the other one is.
                _ => {
                    assert!(held_up[1] >= 4 && end[0] + end[1] == 8, "{held_up:?} {end:?}");
                    continue;
                }
            };
            assert_eq!([held_up, end], expected.map(Vec::from), "{balancing:?}");
        }
    }

    #[test]
    fn a_worker_has_its_next_two_pieces_at_hand_while_the_caller_does_its_own() {
        let ordered = Ordered::new(vec![0; 1], Balancing::default()).unwrap();
        let barrier = Arc::new(std::sync::Barrier::new(2));
        ordered.hand_in(Meet(Some(Arc::clone(&barrier))));
        // The caller's own is done, and waits for the first.
        ordered.hand_in_done(Meet(None));
        for _ in 0..2 {
            assert!(!ordered.is_busy() && !ordered.is_full());
            ordered.hand_in(Meet(None));
        }
        assert!(ordered.is_busy() && ordered.is_full());
        barrier.wait();
        let mut own = 0;
        assert!((0..4).all(|_| ordered.take(&mut own).is_some()));
        assert!(!ordered.is_busy() && ordered.take(&mut own).is_none());
    }

    #[test]
    fn in_turn_every_worker_and_the_caller_have_their_share() {
        let balancing = Balancing { strategy: RoundRobin, stealing: false };
        let ordered = Ordered::new(vec![0; 3], balancing).unwrap();
        let mut own = 0;
        for number in 0..400 {
            match ordered.is_callers_turn() {
                true => {
                    let mut work = Square(number);
                    work.run(&mut own);
                    ordered.hand_in_done(work);
                }
                false => ordered.hand_in(Square(number)),
            }
            while ordered.is_overfull() {
                ordered.take(&mut own).expect("some is under way");
            }
            assert!(ordered.queue.lock().done.len() <= most_done(3));
        }
        while ordered.take(&mut own).is_some() {}
        while ordered.queue.lock().tools.iter().any(Option::is_none) {
            std::thread::yield_now();
        }
        let theirs: Vec<u64> = ordered.queue.lock().tools.iter().flatten().copied().collect();
        assert_eq!((own, theirs), (100, vec![100; 3]));
    }

    #[test]
    fn what_was_not_begun_is_dropped_with_the_queue() {
        let ordered = Ordered::new(vec![0; 1], Balancing::default()).unwrap();
        (0..100).for_each(|number| ordered.hand_in(Square(number)));
        drop(ordered);
    }
}
