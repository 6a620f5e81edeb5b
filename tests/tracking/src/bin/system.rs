//! Nothing is tracked: what the others are compared with. heaptrack tracks it from outside.

fn main() {
    heapwire_tracking_bench::run(|| None);
}
