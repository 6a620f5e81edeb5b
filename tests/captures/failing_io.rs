//! When input or output fails, at whatever byte, there is an error, and the old file stays.

use std::fs;
use std::path::Path;

use heapwire::io::capture_reader::CaptureReader;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::export::export;
use heapwire::plan::CapturePlan;
use heapwire::trace::source::{ChunkSource, Chunks};
use heapwire::validation::validate;
use heapwire::{
    BinaryDataParser, BinaryExport, BinaryExportError, IntegratedBinaryExporter, IntegratedConfig,
    MemoryTracker, ParserConfig,
};
use heapwire_core::{
    ChunkHeader, ChunkKind, Codec, Layout, ModelSpec, StreamPosition, crc32, emit_chunk,
};
use heapwire_tests::inputs::{FULL, FailingReader, FailingWriter, Failure};
use heapwire_tests::{ZSTD, import, plan, sample};

fn capture() -> Vec<u8> {
    import(sample::text(700).as_bytes(), plan(1024, ZSTD)).expect("imported")
}

fn assert_write_fails<T>(result: heapwire::Result<T>, failure: Failure, at: usize) {
    let Err(BinaryExportError::Stream { action, source }) = result else {
        panic!("failing at byte {at}: expected a stream's error");
    };
    assert_eq!(action, "write the capture");
    match failure {
        Failure::Error => assert_eq!(source.to_string(), FULL),
        Failure::Full => assert_eq!(source.kind(), std::io::ErrorKind::WriteZero),
    }
}

#[test]
fn import_into_a_writer_that_fails_at_any_byte_is_an_error() {
    let text = sample::text(700);
    let items = |encoder: &mut TraceEncoder<&mut FailingWriter>| {
        let mut reader = heapwire::convert::text::TextReader::new(text.as_bytes());
        while let Some(item) = reader.next_item().expect("a trace") {
            encoder.push(&item)?;
        }
        Ok(())
    };
    let whole = capture();
    for threads in [1, 2] {
        let plan = CapturePlan { threads, ..plan(1024, ZSTD) };
        // Starting threads takes longer than all the rest.
        for at in (0..whole.len()).step_by(if threads == 1 { 1 } else { 37 }) {
            for failure in [Failure::Error, Failure::Full] {
                let mut out = FailingWriter::new(at, failure);
                let result = TraceEncoder::new(&mut out, plan)
                    .and_then(|mut encoder| items(&mut encoder).and_then(|()| encoder.finish()));
                assert_write_fails(result, failure, at);
                assert_eq!(out.taken, whole[..at]);
            }
        }
    }
}

#[test]
fn export_into_a_writer_that_fails_at_any_byte_is_an_error() {
    let parser = BinaryDataParser::new(ParserConfig::default());
    let trace = parser.parse_streaming(&capture()[..]).expect("reads").trace;
    let chunks = trace.snapshot();
    // Moved as they are, and encoded anew.
    for plan in [plan(64 << 10, ZSTD), plan(1024, ZSTD)] {
        let (whole, _) = export(&chunks, Vec::new(), &plan).expect("exported");
        for at in 0..whole.len() {
            for failure in [Failure::Error, Failure::Full] {
                let out = FailingWriter::new(at, failure);
                assert_write_fails(export(&chunks, out, &plan), failure, at);
            }
        }
    }
}

#[test]
fn a_reader_that_fails_at_any_byte_is_an_error_and_no_cut() {
    let capture = capture();
    for at in 0..capture.len() {
        for salvage in [false, true] {
            let mut config = ParserConfig::default();
            config.salvage = salvage;
            let input = FailingReader { bytes: &capture[..at] };
            let error = BinaryDataParser::new(config).parse_streaming(input).expect_err("fails");
            assert_read_error(&error, at);
        }
        let error = validate(FailingReader { bytes: &capture[..at] }).expect_err("fails");
        assert_read_error(&error, at);
    }
}

fn assert_read_error(error: &BinaryExportError, at: usize) {
    let BinaryExportError::Stream { source, .. } = error else { panic!("at byte {at}: {error}") };
    assert_eq!(source.to_string(), FULL);
}

/// What stands in the folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

const OLD: &[u8] = b"what was here before";

#[test]
fn an_export_of_nothing_leaves_the_old_file_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heap.bin");
    fs::write(&path, OLD).expect("written");
    for config in [
        IntegratedConfig::balanced(),
        IntegratedConfig::high_performance(),
        IntegratedConfig::memory_efficient(),
    ] {
        let tracker = MemoryTracker::new();
        let result = IntegratedBinaryExporter::new(config).export(&tracker, &path);
        assert!(matches!(result, Err(BinaryExportError::NoDataToExport)), "{result:?}");
        assert_eq!(fs::read(&path).expect("there"), OLD);
    }
    let missing = folder.path().join("new.bin");
    assert!(BinaryExport::export_default(&MemoryTracker::new(), missing).is_err());
    assert_eq!(names(folder.path()), ["heap.bin"]);
}

/// A source whose third chunk is whole but cannot be unpacked.
fn broken_source() -> Chunks {
    let mut chunks = Chunks::new();
    let capture = capture();
    let mut reader = CaptureReader::new(&capture[..]).expect("a capture");
    for _ in 0..2 {
        let Ok(Some(heapwire::io::capture_reader::Part::Chunk(chunk, _))) = reader.next_part()
        else {
            panic!("two chunks")
        };
        chunks.push(chunk.bytes.to_vec()).expect("whole");
    }
    let header = ChunkHeader {
        kind: ChunkKind::Events,
        layout: Layout::Columns,
        codec: Codec::Zstd,
        events: 10,
        stream: 0,
        epoch: 0,
        sequence: 1,
        time: 0,
        first_event: 0,
        losses: Default::default(),
        totals: Default::default(),
        model: ModelSpec::DESKTOP,
    };
    let mut chunk = vec![0; 300];
    let len = emit_chunk(&mut chunk, &header, b"nothing that Zstd knows", crc32).expect("fits");
    chunks.push(chunk[..len].to_vec()).expect("its checksum is right");
    chunks
}

#[test]
fn an_export_that_fails_in_the_middle_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heap.bin");
    fs::write(&path, OLD).expect("written");
    let mut source = broken_source();
    for positions in [None, Some(vec![StreamPosition::default()])] {
        source.set_positions(positions);
        let result = BinaryExport::export_default(&source, &path);
        assert!(matches!(result, Err(BinaryExportError::Damaged { .. })), "{result:?}");
        assert_eq!(fs::read(&path).expect("there"), OLD);
        assert_eq!(names(folder.path()), ["heap.bin"]);
    }
}

#[test]
fn a_bad_configuration_leaves_the_old_file_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heap.bin");
    fs::write(&path, OLD).expect("written");
    let tracker = MemoryTracker::new();
    tracker.track_allocation(0x1000, 64);
    let mut config = IntegratedConfig::balanced();
    config.processing.chunk_size = 3;
    let result = IntegratedBinaryExporter::new(config).export(&tracker, &path);
    assert!(matches!(result, Err(BinaryExportError::InvalidConfig { .. })), "{result:?}");
    assert_eq!(fs::read(&path).expect("there"), OLD);
    assert_eq!(names(folder.path()), ["heap.bin"]);
}
