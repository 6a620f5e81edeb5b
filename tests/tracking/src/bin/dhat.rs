//! Tracked by dhat: totals by call stack.

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let profiler = dhat::Profiler::builder().file_name(folder.path().join("dhat.json")).build();
    heapwire_tracking_bench::run(|| None);
    drop(profiler);
}
