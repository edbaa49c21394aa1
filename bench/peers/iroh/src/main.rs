//! iroh-gossip under the workload of `bench:compare`: all nodes in one process, QUIC on loopback, no relay and no discovery.
//! Its messages carry no author's signature.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::presets;
use iroh::protocol::Router;
use iroh::{Endpoint, RelayMode};
use iroh_gossip::api::{Event, GossipReceiver, GossipSender, JoinOptions};
use iroh_gossip::net::{GOSSIP_ALPN, Gossip};
use iroh_gossip::proto::TopicId;
use n0_future::StreamExt;
use tokio::sync::Semaphore;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What one node consists of.
struct Node {
    endpoint: Endpoint,
    gossip: Gossip,
    sender: GossipSender,
    _router: Router,
}

/// One run of messages.
struct Run {
    number: u32,
    start: Instant,
    sent_us: Vec<AtomicU64>,
    left: Vec<AtomicUsize>,
    delivered: AtomicUsize,
    last_us: AtomicU64,
    latencies_us: Mutex<Vec<u64>>,
    window: Semaphore,
}

/// The run that receivers count for.
type Current = Arc<Mutex<Option<Arc<Run>>>>;

struct Load {
    size: usize,
    count: usize,
    window: usize,
    senders: usize,
    rate: Option<f64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = options()?;
    let number = |name: &str, default: f64| -> Result<f64> {
        Ok(options.get(name).map_or(Ok(default), |text| text.parse())?)
    };
    let nodes = number("nodes", 16.0)? as usize;
    let paced = options.get("mode").is_some_and(|mode| mode == "paced");
    let load = Load {
        size: (number("size", 1024.0)? as usize).max(8),
        count: number("count", 5000.0)? as usize,
        window: number("window", 64.0)? as usize,
        senders: number("senders", 1.0)? as usize,
        rate: if paced { Some(number("rate", 20.0)?) } else { None },
    };
    let current: Current = Arc::default();
    let cluster = start(nodes, &current).await?;
    let round = Load { size: 100, count: 4 * nodes, window: 1, senders: nodes, rate: None };
    run(&cluster, &current, &round, 1).await?;
    let count = (load.count / 5).clamp(1, 2000);
    run(&cluster, &current, &Load { count, rate: None, ..load }, 2).await?;
    let result = run(&cluster, &current, &load, 3).await?;
    println!("{result}");
    // Closing endpoints waits for their peers; the process ends anyway.
    std::process::exit(0);
}

/// `--name value` pairs; a flag has an empty value.
fn options() -> Result<HashMap<String, String>> {
    let mut options = HashMap::new();
    let mut args = std::env::args().skip(1).peekable();
    while let Some(arg) = args.next() {
        let name = arg.strip_prefix("--").ok_or(format!("{arg} is no option"))?;
        let value = args.next_if(|next| !next.starts_with("--")).unwrap_or_default();
        options.insert(name.to_string(), value);
    }
    Ok(options)
}

/// Starts nodes on one topic; each joins through the first.
async fn start(nodes: usize, current: &Current) -> Result<Vec<Node>> {
    let topic = TopicId::from_bytes([7; 32]);
    let lookup = MemoryLookup::new();
    let mut cluster: Vec<Node> = Vec::new();
    let mut joined = Vec::new();
    for _ in 0..nodes {
        let endpoint = Endpoint::builder(presets::Minimal)
            .relay_mode(RelayMode::Disabled)
            .address_lookup(lookup.clone())
            .bind_addr("127.0.0.1:0")?
            .bind()
            .await?;
        lookup.add_endpoint_info(endpoint.addr());
        let gossip = Gossip::builder().max_message_size(128 * 1024).spawn(endpoint.clone());
        let router = Router::builder(endpoint.clone()).accept(GOSSIP_ALPN, gossip.clone()).spawn();
        let bootstrap: Vec<_> = cluster.first().map(|node| node.endpoint.id()).into_iter().collect();
        let mut options = JoinOptions::with_bootstrap(bootstrap.clone());
        options.subscription_capacity = 65_536;
        let (sender, mut receiver) = gossip.subscribe_with_opts(topic, options).await?.split();
        if !bootstrap.is_empty() {
            tokio::time::timeout(Duration::from_secs(20), receiver.joined()).await??;
        }
        joined.push(receiver);
        cluster.push(Node { endpoint, gossip, sender, _router: router });
    }
    for receiver in joined {
        tokio::spawn(receive(receiver, current.clone()));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(cluster)
}

async fn receive(mut receiver: GossipReceiver, current: Current) {
    while let Some(Ok(event)) = receiver.next().await {
        let Event::Received(message) = event else { continue };
        let run = current.lock().unwrap().clone();
        let Some(run) = run else { continue };
        let word = |at: usize| u32::from_be_bytes(message.content[at..at + 4].try_into().unwrap());
        if word(4) != run.number {
            continue;
        }
        let index = word(0) as usize;
        let now = run.start.elapsed().as_micros() as u64;
        let took = now - run.sent_us[index].load(Ordering::Relaxed);
        run.latencies_us.lock().unwrap().push(took);
        run.last_us.fetch_max(now, Ordering::Relaxed);
        run.delivered.fetch_add(1, Ordering::Relaxed);
        if run.left[index].fetch_sub(1, Ordering::AcqRel) == 1 {
            run.window.add_permits(1);
        }
    }
}

/// Runs a workload; the result as a line of JSON.
async fn run(cluster: &[Node], current: &Current, load: &Load, number: u32) -> Result<String> {
    let receivers = cluster.len() - 1;
    let expected = load.count * receivers;
    // Paced messages are all on their way whenever they are due.
    let window = if load.rate.is_some() { load.count } else { load.window };
    let run = Arc::new(Run {
        number,
        start: Instant::now(),
        sent_us: (0..load.count).map(|_| AtomicU64::new(0)).collect(),
        left: (0..load.count).map(|_| AtomicUsize::new(receivers)).collect(),
        delivered: AtomicUsize::new(0),
        last_us: AtomicU64::new(0),
        latencies_us: Mutex::new(Vec::with_capacity(expected)),
        window: Semaphore::new(window),
    });
    *current.lock().unwrap() = Some(run.clone());
    let (cpu, wire, copies) = (cpu_us(), wire_bytes(cluster), received(cluster));
    let patience = Duration::from_secs(15);
    for i in 0..load.count {
        if let Some(rate) = load.rate {
            let due = Duration::from_secs_f64(i as f64 / rate);
            tokio::time::sleep(due.saturating_sub(run.start.elapsed())).await;
        }
        match tokio::time::timeout(patience, run.window.acquire()).await {
            Ok(permit) => permit?.forget(),
            Err(_) => break, // lost messages: the counts tell
        }
        let mut payload = vec![0; load.size];
        payload[..4].copy_from_slice(&(i as u32).to_be_bytes());
        payload[4..8].copy_from_slice(&number.to_be_bytes());
        run.sent_us[i].store(run.start.elapsed().as_micros() as u64, Ordering::Relaxed);
        cluster[i % load.senders].sender.broadcast(Bytes::from(payload)).await?;
    }
    let _ = tokio::time::timeout(patience, run.window.acquire_many(window as u32)).await;
    let delivered = run.delivered.load(Ordering::Relaxed);
    let secs = run.last_us.load(Ordering::Relaxed) as f64 / 1e6;
    let per = |total: u64| total as f64 / delivered.max(1) as f64;
    let copies = (received(cluster) - copies).saturating_sub(delivered as u64);
    let mut latencies = run.latencies_us.lock().unwrap().clone();
    latencies.sort_unstable();
    let ms = |share: f64| {
        let at = (share * latencies.len() as f64) as usize;
        latencies.get(at.min(latencies.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1e3)
    };
    Ok(format!(
        "{{\"nodes\":{},\"size\":{},\"count\":{},\"delivered\":{delivered},\"expected\":{expected},\"secs\":{secs:.3},\
         \"deliveriesPerSec\":{:.0},\"mbPerSec\":{:.3},\"p50Ms\":{:.3},\"p99Ms\":{:.3},\"maxMs\":{:.3},\
         \"cpuUsPerDelivery\":{:.3},\"duplicatesPerDelivery\":{:.3},\"wireBytesPerDelivery\":{:.0},\"rssMb\":{}}}",
        cluster.len(), load.size, load.count, delivered as f64 / secs,
        (delivered * load.size) as f64 / secs / 1e6, ms(0.5), ms(0.99), ms(1.0),
        per(cpu_us() - cpu), per(copies), per(wire_bytes(cluster) - wire), rss_mb(),
    ))
}

/// CPU time of this process.
fn cpu_us() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct that it is given.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

fn rss_mb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * 4096 / 1_000_000
}

fn wire_bytes(cluster: &[Node]) -> u64 {
    cluster.iter().map(|node| node.endpoint.metrics().socket.send_ipv4.get()).sum()
}

fn received(cluster: &[Node]) -> u64 {
    cluster.iter().map(|node| node.gossip.metrics().msgs_data_recv.get()).sum()
}
