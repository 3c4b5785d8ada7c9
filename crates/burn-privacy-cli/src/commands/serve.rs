//! `burn-privacy serve`: a table is posted, and comes back transformed. No session, no state, one schema and one key, which
//! no client sees or sends.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use burn_privacy_anonymize::FileFormat;
use burn_privacy_anonymize::columns::{ColumnSchema, TransformOptions, transform_bytes};
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_budget::statement::json;
use burn_privacy_output::InvalidValue;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::commands::anonymize::apply::read_schema;
use crate::commands::perturb::FormatArgs;
use crate::failure::Failure;
use crate::numbers::whole;

/// Formats over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServedFormat {
    /// Cells parted by a separator
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl From<ServedFormat> for FileFormat {
    fn from(format: ServedFormat) -> Self {
        match format {
            ServedFormat::Csv => Self::Csv,
            ServedFormat::Jsonl => Self::JsonLines,
        }
    }
}

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Schema in TOML: role and treatment of each column
    schema: PathBuf,
    /// File of the key; whoever can post gets the pseudonym of any value, and so can check guesses
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Address to listen on; any but a loopback one can be reached from outside, without a password and in the clear
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    listen: SocketAddr,
    /// Format of what is posted
    #[arg(long, value_enum, default_value = "csv")]
    from: ServedFormat,
    /// Format of what comes back
    #[arg(long, value_enum, default_value = "csv")]
    to: ServedFormat,
    #[command(flatten)]
    format: FormatArgs,
    /// Bytes of a table at most, which must not be packed; it is held in memory
    #[arg(long, value_name = "N", value_parser = whole, default_value = "67108864")]
    max_bytes: u64,
    /// Seconds that a request may take, from its first byte on
    #[arg(long, value_name = "N", value_parser = whole, default_value = "60")]
    max_seconds: u64,
    /// Requests at once, from their first byte on; others wait, and are read when their turn has come
    #[arg(long, value_name = "N", value_parser = whole, default_value = "4")]
    max_requests: u64,
}

/// What all requests share.
struct Service {
    schema: ColumnSchema,
    key: Option<PseudonymKey>,
    options: TransformOptions,
    max_bytes: usize,
    limit: Duration,
    free: Arc<Semaphore>,
}

/// `burn-privacy serve`.
pub fn serve(args: ServeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (schema, _) = read_schema(&args.schema)?;
    let key = args.key.as_deref().map(PseudonymKey::read).transpose()?;
    if schema.needs_key() && key.is_none() {
        return Err(Failure::Input("the schema has pseudonyms: give --key".to_owned()));
    }
    let positive = |name: &'static str, value: u64| match usize::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(Failure::from(InvalidValue::new(name, value, "at least 1"))),
    };
    let (input, output) = (args.from.into(), args.to.into());
    let service = Service {
        schema,
        key,
        options: TransformOptions { input, output, csv: args.format.format()?, ..TransformOptions::default() },
        max_bytes: positive("--max-bytes", args.max_bytes)?,
        limit: Duration::from_secs(positive("--max-seconds", args.max_seconds)? as u64),
        free: Arc::new(Semaphore::new(positive("--max-requests", args.max_requests)?.min(Semaphore::MAX_PERMITS))),
    };
    let app = Router::new().route("/", post(answer)).with_state(Arc::new(service));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await?;
        writeln!(out, "Listening on http://{}/", listener.local_addr()?)?;
        out.flush()?;
        if !args.listen.ip().is_loopback() {
            writeln!(
                std::io::stderr(),
                "warning: this address can be reached from outside, without a password and in the clear"
            )?;
        }
        axum::serve(listener, app).await?;
        Ok(())
    })
}

/// A table for a table, within the limit of time.
async fn answer(State(service): State<Arc<Service>>, body: Body) -> Response {
    let limit = service.limit;
    let refused = |status: StatusCode, sentence: String| (status, sentence + "\n").into_response();
    match timeout(limit, transformed(service, body)).await {
        Ok(Ok(response)) => response,
        Ok(Err((status, sentence))) => refused(status, sentence),
        Err(_) => refused(StatusCode::REQUEST_TIMEOUT, format!("this took more than {} seconds", limit.as_secs())),
    }
}

async fn transformed(service: Arc<Service>, body: Body) -> Result<Response, (StatusCode, String)> {
    let most = service.max_bytes;
    let failed = |sentence: String| (StatusCode::INTERNAL_SERVER_ERROR, sentence);
    // Before the body is read: tables of requests that wait take no memory.
    let permit = service.free.clone().acquire_owned().await.map_err(|error| failed(error.to_string()))?;
    let table = to_bytes(body, most).await.map_err(|_| {
        (StatusCode::PAYLOAD_TOO_LARGE, format!("the table could not be read, or has more than {most} bytes"))
    })?;
    // What is packed unpacks to any size, and would take any time.
    if table.starts_with(&[0x1F, 0x8B]) || table.starts_with(b"\x28\xB5\x2F\xFD") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the table is packed: unpack it first".to_owned()));
    }
    let work = tokio::task::spawn_blocking(move || {
        // Held by the work itself: it goes on after a time-out, and counts until it ends.
        let _permit = permit;
        let mut released = Vec::new();
        let Service { schema, key, options, .. } = service.as_ref();
        // Pseudonyms are longer than short cells.
        let mut bounded = Bounded { bytes: &mut released, most: most.saturating_mul(8) };
        let outcome = transform_bytes(schema, key.as_ref(), &table, "the table", &mut bounded, options, &mut |_| {});
        outcome.map(|statement| (released, json(&statement).to_string()))
    });
    let outcome = work.await.map_err(|error| failed(error.to_string()))?;
    let (released, statement) = outcome.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let statement = HeaderValue::from_bytes(statement.as_bytes()).map_err(|error| failed(error.to_string()))?;
    Ok(([("burn-privacy-statement", statement)], released).into_response())
}

/// Memory that does not grow beyond a limit.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    most: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(std::io::Error::other(format!("the output has more than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
