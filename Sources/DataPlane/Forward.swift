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
    let records = lcore.pointee.records
    fetch(runs, records, lcore.pointee.lines, fdb)
    let own = FDBValue(port: source, guest: port.pointee.defaultGuest, seen: lcore.pointee.seconds)
    let learner = Learner(port: source, spoofCheck: port.pointee.spoofCheck, value: own)
    // Runs often follow one another between the same two addresses: those are looked up once. No frame has the source 0.
    var from: UInt64 = 0, to: UInt64 = 0, forwarding: UInt64 = 0
    var record = records, lines = UnsafePointer(lcore.pointee.lines)
    let end = records + runs
    repeat {
        if record.pointee.source != from || record.pointee.destination != to {
            (from, to) = (record.pointee.source, record.pointee.destination)
            if let settled = known(from, to, lines, learner, fdb) {
                forwarding = settled
            } else {
                forwarding = lookUp(record, learner, fdb, lcore)
                if forwarding & refused == refused { return dropRefused(from: record - records, forwarding, runs, learner, fdb, lcore) }
            }
        }
        record.pointee.forwarding = forwarding
        record += 1
        lines += 2
    } while record != end
    return runs
}

/// What every frame from a port teaches.
private struct Learner {
    let port: PortIndex
    let spoofCheck: Bool
    let value: FDBValue
    /// `FrameRecord.input` in its place.
    let input: UInt64
    /// What the database says about a source that it needs to learn nothing about. No address's where each must be checked.
    let settled: UInt64

    @inline(__always) @_noLocks
    init(port: PortIndex, spoofCheck: Bool, value: FDBValue) {
        self.port = port
        self.spoofCheck = spoofCheck
        self.value = value
        input = UInt64(port) &<< 32
        settled = spoofCheck ? FDBValue.none.raw : value.raw
    }

    /// Whether the database, which says `found` about a frame's source, has nothing to learn from it and nothing against it.
    @inline(__always) @_noLocks
    func teachesNothing(_ found: FDBValue) -> Bool { found.raw == settled || found.isStatic && found.port == port }
}

/// In the place of `FrameRecord.forwarding`, for frames that may not go on: the bits of input, which no port has, with `DropReason.rawValue` below.
@inline(__always) private var refused: UInt64 { @_noLocks get { 0xffff_0000_0000 } }

/// Finds and fetches the lines of the database that the addresses lie in.
@inline(__always) @_noLocks
private func fetch(
    _ runs: Int, _ records: UnsafeMutablePointer<FrameRecord>, _ lines: UnsafeMutablePointer<UnsafeRawPointer?>, _ fdb: ForwardingDatabase
) {
    var index = 0
    repeat {
        let source = fdb.firstLine(of: records[index].source), destination = fdb.firstLine(of: records[index].destination)
        sluice_prefetch(source)
        sluice_prefetch(destination)
        lines[2 &* index] = source
        lines[2 &* index &+ 1] = destination
        index &+= 1
    } while index < runs
}

/// `FrameRecord.forwarding` if there is nothing to learn from a frame's source and both addresses are in the first lines that they may be in, as most
/// are.
@inline(__always) @_noLocks
private func known(
    _ source: UInt64, _ destination: UInt64, _ lines: UnsafePointer<UnsafeRawPointer?>, _ learner: Learner, _ fdb: ForwardingDatabase
) -> UInt64? {
    guard let from = fdb.lookup(mac: source, inFirstLine: lines[0].unsafelyUnwrapped), learner.teachesNothing(from),
        let to = fdb.lookup(mac: destination, inFirstLine: lines[1].unsafelyUnwrapped), to.port != learner.port
    else { return nil }
    return UInt64(from.guest) | learner.input | to.raw & 0xffff_0000 | to.raw &<< 48
}

/// Learns a frame's source and finds its output. Returns `FrameRecord.forwarding`, or `refused` and why it may not go on.
@inline(never) @_noLocks
private func lookUp(
    _ record: UnsafeMutablePointer<FrameRecord>, _ learner: Learner, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>
) -> UInt64 {
    // Refused before it is learned: an address that may not be used must not attract traffic either.
    if learner.spoofCheck && !isBound(record.pointee.source, to: learner.port, fdb) { return refuse(.spoofedSource) }
    let learned = fdb.learn(mac: record.pointee.source, learner.value)
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
    let entry = fdb.lookup(mac: record.pointee.destination)
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
            keep(begin, start, &kept, lcore)
            lcore.pointee.runEnds[keptRuns] = kept
            keptRuns &+= 1
        }
        index &+= 1
        if index == runs { return keptRuns }
        verdict = lookUp(records + index, learner, fdb, lcore)
    }
}

/// Whether an address is configured for this very port.
@inline(never) @_noLocks
private func isBound(_ mac: UInt64, to port: PortIndex, _ fdb: ForwardingDatabase) -> Bool {
    let entry = fdb.lookup(mac: mac)
    return entry.isStatic && entry.port == port
}
