import Bridge
import DPDKShim
import Packet

/// `FrameRecord.output` of a frame for every port of the bridge but its own.
let flooded: PortIndex = .max

/// Stage 3: learns each frame's source, finds its output. Returns how many stay, in their order.
@inline(__always) @_noLocks
func bridge(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let fdb = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fdb
    let frames = lcore.pointee.received
    let records = lcore.pointee.records
    prefetch(count, records, fdb)
    // Frames of a burst often follow one another between the same two addresses: those are looked up once.
    var known: UnsafeMutablePointer<FrameRecord>?
    var kept = 0
    for index in 0..<count {
        let record = records + index
        if let known, known.pointee.source == record.pointee.source, known.pointee.destination == record.pointee.destination {
            record.pointee.sourceGuest = known.pointee.sourceGuest
            record.pointee.destinationGuest = known.pointee.destinationGuest
            record.pointee.output = known.pointee.output
        } else if let reason = lookUp(record, source, port, fdb, lcore) {
            known = nil
            lcore.pointee.counters[Int(source)].count(drop: reason)
            sluice_frame_free(frames[index].unsafelyUnwrapped)
            continue
        }
        if kept != index {
            records[kept] = records[index]
            frames[kept] = frames[index]
        }
        known = records + kept
        kept &+= 1
    }
    return kept
}

/// Fetches the lines of the database that the burst's addresses lie in.
@inline(__always) @_noLocks
private func prefetch(_ count: Int, _ records: UnsafeMutablePointer<FrameRecord>, _ fdb: ForwardingDatabase) {
    var source: UInt64 = 0, destination: UInt64 = 0
    for index in 0..<count {
        if records[index].source != source {
            source = records[index].source
            sluice_prefetch(fdb.firstLine(of: source))
        }
        if records[index].destination != destination {
            destination = records[index].destination
            sluice_prefetch(fdb.firstLine(of: destination))
        }
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
