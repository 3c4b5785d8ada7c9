//! `burn-privacy serve` over a loopback port: runs the binary.
#![cfg(feature = "serve")]
#![allow(missing_docs)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::temporary;

const KEY: &str = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";
const SCHEMA: &str = "k = 2\n[[column]]\nname = \"id\"\nrole = \"identifier\"\ntreatment = \"pseudonym\"\nmethod = \"hmac\"\n\
                      [[column]]\nname = \"age\"\ntreatment = \"round\"\nto = 10\n";

/// A server that ends with the test.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn server(arguments: &[&str]) -> Server {
    let (schema, key) = (temporary("served.toml", SCHEMA), temporary("served.key", KEY));
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-privacy"))
        .args(["serve", &schema, "--key", &key, "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Listening on http://").unwrap().trim_end_matches('/').to_owned();
    Server(child, address)
}

/// Status, headers and body.
fn posted(server: &Server, method: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&server.1).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // The server may refuse, and close, before it has read all.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

#[test]
fn a_table_comes_back_transformed_with_its_statement_and_without_small_classes() {
    let server = server(&[]);
    let table = b"id,age\nann,21\nbob,19\ncid,58\n";
    let (status, head, body) = posted(&server, "POST", table);
    assert_eq!(status, 200, "{head}\n{body}");
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "id,age"), "{body}");
    assert!(lines[1].ends_with(",20") && lines[2].ends_with(",20") && !body.contains("ann"), "{body}");
    assert!(head.contains("burn-privacy-statement: {") && head.contains("pseudonymized"), "{head}");
    // No state: the same table gives the same answer, whatever came between.
    assert_eq!(posted(&server, "POST", b"id\n").0, 422);
    assert_eq!(posted(&server, "POST", table).2, body);
    assert_eq!(posted(&server, "GET", b"").0, 405);
}

#[test]
fn what_is_too_large_packed_or_wrong_is_refused_without_a_cell() {
    let server = server(&["--max-bytes", "2000"]);
    let (status, _, body) = posted(&server, "POST", &[b'x'; 5_000]);
    assert!(status == 413 && body.contains("2000 bytes"), "{status} {body}");
    let (status, _, body) = posted(&server, "POST", &[0x1F, 0x8B, 8, 0]);
    assert!(status == 415 && body.contains("unpack"), "{status} {body}");
    let (status, _, body) = posted(&server, "POST", b"id,age\nann,secret\n");
    assert!(status == 422 && body.contains("line 2") && !body.contains("secret"), "{status} {body}");
}

#[test]
fn requests_that_wait_are_not_read() {
    let server = server(&["--max-requests", "1"]);
    let table = b"id,age\nann,21\nbob,19\n";
    let open = |expect: &str| {
        let mut stream = TcpStream::connect(&server.1).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{expect}\r\n",
            table.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    // The server asks for the body once it reads it.
    let asked = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut first = open("Expect: 100-continue\r\n");
    first.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = vec![0; asked.len()];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(answer, asked);
    let mut second = open("Expect: 100-continue\r\n");
    second.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(second.read(&mut answer).is_err(), "the second is asked for its body while the first is read");
    first.write_all(table).unwrap();
    let mut text = String::new();
    first.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    second.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    second.read_exact(&mut answer).unwrap();
    assert_eq!(answer, asked);
    second.write_all(table).unwrap();
    text.clear();
    second.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}
