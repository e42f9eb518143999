import Bridge
import DPDKShim
import Packet

/// `FrameRecord.output` of a frame for every port of the bridge but its own.
let flooded: PortIndex = .max

/// Stage 3: learns the source of each run of frames, finds its output. Returns the runs that stay, in their order.
@inline(__always) @_noLocks
func bridge(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let fdb = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fdb
    let records = lcore.pointee.records
    prefetch(runs, records, fdb)
    // Runs often follow one another between the same two addresses: those are looked up once.
    var known: UnsafeMutablePointer<FrameRecord>?
    var start = 0, kept = 0, keptRuns = 0
    for index in 0..<runs {
        let record = records + index
        let run = start..<lcore.pointee.runEnds[index]
        start = run.upperBound
        if let known, known.pointee.source == record.pointee.source, known.pointee.destination == record.pointee.destination {
            record.pointee.sourceGuest = known.pointee.sourceGuest
            record.pointee.destinationGuest = known.pointee.destinationGuest
            record.pointee.output = known.pointee.output
        } else if let reason = lookUp(record, source, port, fdb, lcore) {
            known = nil
            drop(run, reason, source, lcore)
            continue
        }
        if keptRuns != index { records[keptRuns] = records[index] }
        keep(run, &kept, lcore)
        lcore.pointee.runEnds[keptRuns] = kept
        known = records + keptRuns
        keptRuns &+= 1
    }
    return keptRuns
}

/// Fetches the lines of the database that the addresses lie in.
@inline(__always) @_noLocks
private func prefetch(_ runs: Int, _ records: UnsafeMutablePointer<FrameRecord>, _ fdb: ForwardingDatabase) {
    if runs < 4 { return }
    for index in 0..<runs {
        sluice_prefetch(fdb.firstLine(of: records[index].source))
        sluice_prefetch(fdb.firstLine(of: records[index].destination))
    }
}

/// Learns a frame's source and finds its output; nil, or why it may not go on.
@inline(__always) @_noLocks
private func lookUp(
    _ record: UnsafeMutablePointer<FrameRecord>, _ source: PortIndex, _ port: UnsafeMutablePointer<PortView>, _ fdb: ForwardingDatabase,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> DropReason? {
    // Refused before it is learned: an address that may not be used must not attract traffic either.
    if port.pointee.spoofCheck && !isBound(record.pointee.source, to: source, fdb) { return .spoofedSource }
    let learned = fdb.learn(mac: record.pointee.source, port: source, guest: port.pointee.defaultGuest, now: lcore.pointee.seconds)
    if learned.verdict != .known {
        switch learned.verdict {
        case .refusedStatic: return .spoofedSource
        case .learned, .evicted: lcore.pointee.counters[Int(source)].learned &+= 1
        case .moved: lcore.pointee.counters[Int(source)].moved &+= 1
        default: break
        }
    }
    record.pointee.sourceGuest = learned.value.guest
    record.pointee.destinationGuest = 0
    record.pointee.output = flooded
    if record.pointee.flags.has(.multicast) { return nil }
    let entry = fdb.lookup(mac: record.pointee.destination)
    if entry.isNone { return nil }
    if entry.port == source { return .sourcePort }
    record.pointee.output = entry.port
    record.pointee.destinationGuest = entry.guest
    return nil
}

/// Whether an address is configured for this very port.
@inline(never) @_noLocks
private func isBound(_ mac: UInt64, to port: PortIndex, _ fdb: ForwardingDatabase) -> Bool {
    let entry = fdb.lookup(mac: mac)
    return entry.isStatic && entry.port == port
}
