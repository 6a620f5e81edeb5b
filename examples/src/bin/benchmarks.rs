//! Measures heapwire beside JSON on captures of your own, or on made-up data:
//!
//! ```sh
//! heapwire import trace.txt.zst -o trace.hwcap
//! cargo run --release -p heapwire-examples --bin benchmarks -- trace.hwcap
//! ```
//!
//! `ROUNDS` and `EVENTS` in the environment say how often, and how many events are made up.

use std::error::Error;
use std::path::{Path, PathBuf};

use heapwire::benchmarks::{BenchmarkConfig, BenchmarkRunner, ContenderResult};
use heapwire::{BinaryDataParser, ParserConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = BenchmarkConfig::default();
    if let Ok(rounds) = std::env::var("ROUNDS") {
        config.rounds = rounds.parse()?;
    }
    if let Ok(events) = std::env::var("EVENTS") {
        config.event_counts = vec![events.parse()?];
    }
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        config.event_counts.clear();
        let trace = BinaryDataParser::new(ParserConfig::default()).parse_file(&path)?.trace;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        config = config.with_source(name, &trace);
    }
    let runner = BenchmarkRunner::new(config)?;
    let results = runner.run_all_benchmarks()?;
    for data in &results.data {
        println!("{}: {} events, {} records", data.name, data.events, data.records);
        for contender in data.presets.iter().chain(&data.json) {
            let json = data.json.iter().find(|json| json.content == contender.content);
            print_line(contender, json.unwrap_or(contender));
        }
    }
    for means in [&results.comparison].into_iter().chain(&results.comparison.others) {
        println!(
            "balanced beside {}: written {:.1}x as fast (least {:.1}x), read {:.1}x (least {:.1}x), \
             loaded {:.1}x (least {:.1}x), {:.1}x smaller",
            means.json,
            means.avg_write_improvement,
            means.least_write_improvement,
            means.avg_read_improvement,
            means.least_read_improvement,
            means.avg_load_improvement,
            means.least_load_improvement,
            means.avg_size_improvement
        );
    }
    runner.save_results(&results, Path::new("benchmark_results.json"))?;
    println!("everything measured is in benchmark_results.json");
    Ok(())
}

fn print_line(contender: &ContenderResult, json: &ContenderResult) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let mib = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| (bytes >> 20).to_string());
    let times = [
        ("write", &contender.write, &json.write, contender.write_memory),
        ("read", &contender.read, &json.read, contender.read_memory),
        ("load", &contender.load, &json.load, contender.load_memory),
    ];
    let (name, content) = (&contender.name, format!("{:?}", contender.content).to_lowercase());
    print!("  {name:<17} {content:<8} {:>11} bytes", contender.bytes);
    for (what, ours, json, memory) in times {
        let (ours, json) = (ms(ours.median), ms(json.median));
        print!("  {what} {ours:>7.1} ms ({:>4.1}x) {:>4} MiB", json / ours, mib(memory));
    }
    println!();
}
