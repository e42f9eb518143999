import Bridge
import DPDKShim
import Packet

/// `FrameRecord.output` of a frame for every port of the bridge but its own.
let flooded: PortIndex = .max

/// Stage 3: learns the source of each run of frames, finds its output. Returns the runs that stay, in their order.
@inline(__always) @_noLocks
func bridge(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    if runs == 0 { return 0 }
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let fdb = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fdb
    let records = lcore.pointee.records, hashes = lcore.pointee.hashes
    fetch(runs, records, hashes, fdb)
    let own = FDBValue(port: source, guest: port.pointee.defaultGuest, seen: lcore.pointee.seconds)
    let learner = Learner(port: source, spoofCheck: port.pointee.spoofCheck, value: own)
    // Runs often follow one another between the same two addresses: those are looked up once.
    var record = records, hash = UnsafePointer(hashes)
    let end = records + runs
    var last = forwarding(of: record, hash, learner, fdb, lcore)
    if last & refused == refused { return dropRefused(from: 0, last, runs, learner, fdb, lcore) }
    record.pointee.forwarding = last
    record += 1
    while record != end {
        let before = record - 1
        hash += 2
        if before.pointee.source != record.pointee.source || before.pointee.destination != record.pointee.destination {
            last = forwarding(of: record, hash, learner, fdb, lcore)
            if last & refused == refused { return dropRefused(from: record - records, last, runs, learner, fdb, lcore) }
        }
        record.pointee.forwarding = last
        record += 1
    }
    return runs
}

/// What every frame from a port teaches.
private struct Learner {
    let port: PortIndex
    let spoofCheck: Bool
    let value: FDBValue

    @inline(__always) @_noLocks
    init(port: PortIndex, spoofCheck: Bool, value: FDBValue) {
        self.port = port
        self.spoofCheck = spoofCheck
        self.value = value
    }

    /// Whether the database, which says `found` about a frame's source, has nothing to learn from it and nothing against it.
    @inline(__always) @_noLocks
    func teachesNothing(_ found: FDBValue) -> Bool { found.port == port && (found.isStatic || found.raw == value.raw && !spoofCheck) }
}

/// In the place of `FrameRecord.forwarding`, for frames that may not go on: the bits of input, which no port has, with `DropReason.rawValue` below.
@inline(__always) private var refused: UInt64 { @_noLocks get { 0xffff_0000_0000 } }

/// Hashes the addresses and fetches the lines of the database that they lie in.
@inline(__always) @_noLocks
private func fetch(_ runs: Int, _ records: UnsafeMutablePointer<FrameRecord>, _ hashes: UnsafeMutablePointer<UInt64>, _ fdb: ForwardingDatabase) {
    var index = 0
    repeat {
        let source = fdb.hash(of: records[index].source), destination = fdb.hash(of: records[index].destination)
        hashes[2 &* index] = source
        hashes[2 &* index &+ 1] = destination
        sluice_prefetch(fdb.firstLine(ofHash: source))
        sluice_prefetch(fdb.firstLine(ofHash: destination))
        index &+= 1
    } while index < runs
}

/// Learns a frame's source and finds its output. Returns `FrameRecord.forwarding`, or `refused` and why it may not go on.
@inline(__always) @_noLocks
private func forwarding(
    of record: UnsafeMutablePointer<FrameRecord>, _ hashes: UnsafePointer<UInt64>, _ learner: Learner, _ fdb: ForwardingDatabase,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> UInt64 {
    // Most addresses are in the first line that they may be in, the source where it was and the destination elsewhere.
    if let from = fdb.lookup(mac: record.pointee.source, inFirstLineOf: hashes[0]), learner.teachesNothing(from),
        let to = fdb.lookup(mac: record.pointee.destination, inFirstLineOf: hashes[1]), to.port != learner.port {
        return UInt64(from.guest) | UInt64(learner.port) &<< 32 | to.raw & 0xffff_0000 | to.raw &<< 48
    }
    return lookUp(record, hashes, learner, fdb, lcore)
}

@inline(never) @_noLocks
private func lookUp(
    _ record: UnsafeMutablePointer<FrameRecord>, _ hashes: UnsafePointer<UInt64>, _ learner: Learner, _ fdb: ForwardingDatabase,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> UInt64 {
    // Refused before it is learned: an address that may not be used must not attract traffic either.
    if learner.spoofCheck && !isBound(record.pointee.source, to: learner.port, fdb) { return refuse(.spoofedSource) }
    let learned = fdb.learn(mac: record.pointee.source, hash: hashes[0], learner.value)
    if learned.verdict != .known {
        switch learned.verdict {
        case .refusedStatic: return refuse(.spoofedSource)
        case .learned, .evicted: lcore.pointee.counters[Int(learner.port)].learned &+= 1
        case .moved: lcore.pointee.counters[Int(learner.port)].moved &+= 1
        default: break
        }
    }
    let from = UInt64(learned.value.guest) | UInt64(learner.port) &<< 32
    if record.pointee.flags.has(.multicast) { return from | UInt64(flooded) &<< 48 }
    let entry = fdb.lookup(mac: record.pointee.destination, hash: hashes[1])
    if entry.isNone { return from | UInt64(flooded) &<< 48 }
    if entry.port == learner.port { return refuse(.sourcePort) }
    return from | entry.raw & 0xffff_0000 | entry.raw &<< 48
}

@inline(__always) @_noLocks
private func refuse(_ reason: DropReason) -> UInt64 { refused | UInt64(reason.rawValue) }

/// Bridges the runs from `first` on, which is refused with `verdict`; drops those that are, and moves the others up.
@inline(never) @_noLocks
private func dropRefused(
    from first: Int, _ verdict: UInt64, _ runs: Int, _ learner: Learner, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    let records = lcore.pointee.records
    var verdict = verdict
    var keptRuns = first
    var start = first == 0 ? 0 : lcore.pointee.runEnds[first &- 1]
    var kept = start
    var index = first
    while true {
        let begin = start
        start = lcore.pointee.runEnds[index]
        if verdict & refused == refused {
            drop(begin, start, DropReason(rawValue: UInt8(truncatingIfNeeded: verdict)).unsafelyUnwrapped, learner.port, lcore)
        } else {
            records[keptRuns] = records[index]
            records[keptRuns].forwarding = verdict
            keep(begin, start, &kept, lcore.pointee.received)
            lcore.pointee.runEnds[keptRuns] = kept
            keptRuns &+= 1
        }
        index &+= 1
        if index == runs { return keptRuns }
        verdict = lookUp(records + index, lcore.pointee.hashes + 2 &* index, learner, fdb, lcore)
    }
}

/// Whether an address is configured for this very port.
@inline(never) @_noLocks
private func isBound(_ mac: UInt64, to port: PortIndex, _ fdb: ForwardingDatabase) -> Bool {
    let entry = fdb.lookup(mac: mac)
    return entry.isStatic && entry.port == port
}
