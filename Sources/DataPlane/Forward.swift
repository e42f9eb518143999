import Bridge
import DPDKShim
import Packet

/// `FrameRecord.output` of a frame for every port of the bridge but its own.
let flooded: PortIndex = .max

/// Stage 3: learns each frame's source, finds its output. Returns how many stay, in their order.
@inline(__always) @_noLocks
func bridge(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let counters = lcore.pointee.counters + Int(source)
    let fdb = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fdb
    let frames = lcore.pointee.received
    let records = lcore.pointee.records
    let seconds = lcore.pointee.seconds
    for index in 0..<count {
        sluice_prefetch(fdb.firstLine(of: records[index].source))
        sluice_prefetch(fdb.firstLine(of: records[index].destination))
    }
    var kept = 0
    for index in 0..<count {
        let record = records + index
        if port.pointee.spoofCheck && !isBound(record.pointee.source, to: source, fdb) {
            // Refused before it is learned: an address that may not be used must not attract traffic either.
            counters.pointee.count(drop: .spoofedSource)
            sluice_frame_free(frames[index].unsafelyUnwrapped)
            continue
        }
        let learned = fdb.learn(mac: record.pointee.source, port: source, guest: port.pointee.defaultGuest, now: seconds)
        if learned.verdict == .refusedStatic {
            counters.pointee.count(drop: .spoofedSource)
            sluice_frame_free(frames[index].unsafelyUnwrapped)
            continue
        }
        switch learned.verdict {
        case .learned, .evicted: counters.pointee.learned &+= 1
        case .moved: counters.pointee.moved &+= 1
        default: break
        }
        record.pointee.sourceGuest = learned.value.guest
        record.pointee.output = flooded
        if !record.pointee.flags.has(.multicast) {
            let entry = fdb.lookup(mac: record.pointee.destination)
            if !entry.isNone {
                if entry.port == source {
                    counters.pointee.count(drop: .sourcePort)
                    sluice_frame_free(frames[index].unsafelyUnwrapped)
                    continue
                }
                record.pointee.output = entry.port
                record.pointee.destinationGuest = entry.guest
            }
        }
        if kept != index {
            records[kept] = records[index]
            frames[kept] = frames[index]
        }
        kept &+= 1
    }
    return kept
}

/// Whether an address is configured for this very port.
@inline(never) @_noLocks
private func isBound(_ mac: UInt64, to port: PortIndex, _ fdb: ForwardingDatabase) -> Bool {
    let entry = fdb.lookup(mac: mac)
    return entry.isStatic && entry.port == port
}
