//! `heapwire validate`: checks every byte of a capture.

use std::io::{self, Write};

use heapwire::validation::{Finding, FindingKind, Severity, ValidationReport, validate};
use serde::Serialize;

use crate::args::ValidateArgs;
use crate::capture_input;
use crate::failure::{Failure, Outcome, told};
use crate::json;
use crate::units::counted;

pub(crate) fn run(args: &ValidateArgs) -> Result<Outcome, Failure> {
    let input = capture_input::open(&args.input)?;
    let report = validate(input).map_err(Failure::of(&args.input))?;
    let mut out = io::stdout().lock();
    let printed = match args.json {
        true => print_json(&mut out, &report),
        false => print_text(&mut out, &report),
    };
    told(printed, if report.is_valid { Outcome::Done } else { Outcome::Finding })
}

fn print_text(out: &mut impl Write, report: &ValidationReport) -> io::Result<()> {
    let (chunks, events) = (counted(report.chunks, "chunk"), counted(report.events, "event"));
    let verdict = if report.is_valid { "valid" } else { "NOT VALID" };
    writeln!(out, "{verdict}: {chunks} with {events} are right")?;
    for finding in report.errors.iter().chain(&report.warnings) {
        let Finding { severity, chunk, message, .. } = finding;
        let severity_name = severity_name(*severity);
        match chunk.filter(|_| *severity != Severity::Fatal) {
            Some(chunk) => writeln!(out, "  {severity_name} in chunk {chunk}: {message}")?,
            None => writeln!(out, "  {severity_name}: {message}")?,
        }
    }
    if report.further_findings > 0 {
        writeln!(out, "  and {}", counted(report.further_findings, "further finding"))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ReportJson<'a> {
    valid: bool,
    chunks: u64,
    events: u64,
    errors: Vec<FindingJson<'a>>,
    warnings: Vec<FindingJson<'a>>,
    further_findings: u64,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    kind: &'static str,
    severity: &'static str,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk: Option<u64>,
    message: &'a str,
}

fn print_json(out: &mut impl Write, report: &ValidationReport) -> io::Result<()> {
    let report = ReportJson {
        valid: report.is_valid,
        chunks: report.chunks,
        events: report.events,
        errors: findings_json(&report.errors),
        warnings: findings_json(&report.warnings),
        further_findings: report.further_findings,
    };
    json::print(out, &report)
}

fn findings_json(findings: &[Finding]) -> Vec<FindingJson<'_>> {
    let mut json = Vec::with_capacity(findings.len());
    for Finding { kind, severity, offset, chunk, message, .. } in findings {
        let (kind, severity) = (kind_name(*kind), severity_name(*severity));
        json.push(FindingJson { kind, severity, offset: *offset, chunk: *chunk, message });
    }
    json
}

fn kind_name(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Damage => "damage",
        FindingKind::CutOff => "cut_off",
        FindingKind::Contradiction => "contradiction",
        FindingKind::Gap => "gap",
        FindingKind::Repeated => "repeated",
        FindingKind::NotACapture => "not_a_capture",
        FindingKind::UnsupportedVersion => "unsupported_version",
        _ => "other",
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Fatal => "fatal",
        _ => "other",
    }
}
