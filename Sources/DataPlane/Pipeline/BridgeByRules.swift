import Bridge
import DPDKShim
import Packet

// Stage 3 for ports that have rules of their own. The path cache keeps those results that stay right as long as the configuration and the forwarding database
// do not change, but not those for which something is counted or limited for each frame.

/// Does what `bridgeMisses` does, for a port with rules.
@inline(never) @_noLocks
func bridgeMissesByRules(
    _ misses: Int, _ runs: Int, _ learner: Learner, _ flags: PortFlags, _ stamp: UInt64, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let records = lcore.pointee.records, missed = lcore.pointee.missed
    let turn = lcore.pointee.turns.load(ordering: .relaxed)
    var isRefused = false
    for index in 0..<misses {
        let run = missed[index], record = records + run
        let line = pathLine(of: record)
        let begin = run == 0 ? 0 : Int((record - 1).pointee.end)
        let path = lookUpByRules(record, begin, learner, flags, fdb, lcore, snapshot)
        record.pointee.forwarding = path.forwarding
        if path.forwarding & refused == refused {
            isRefused = true
        } else if path.lasts {
            PathCache.remember(line, addresses(of: record), stamp, path.forwarding, turn: turn &+ UInt64(truncatingIfNeeded: index))
        }
    }
    return isRefused ? dropRefused(runs, learner.port, lcore) : runs
}

/// Does what `lookUp` does, for a port with rules.
/// - Parameter begin: the index in the burst of the first frame of the record's run.
@inline(never) @_noLocks
private func lookUpByRules(
    _ record: UnsafeMutablePointer<FrameRecord>, _ begin: Int, _ learner: Learner, _ flags: PortFlags, _ fdb: ForwardingDatabase,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Path {
    if flags.has(.shut) { return Path(refused: .bpduGuard) }
    let source = record.pointee.source, isGroup = record.pointee.flags.has(.multicast)
    // This comes before learning, because source addresses of a storm are not to be trusted.
    if isGroup, flags.has(.stormControl) {
        let isToAll = isBroadcast(record.pointee.destination)
        if !mayFlood(isToAll ? .broadcast : .multicast, record, begin, learner.port, lcore, snapshot) {
            return Path(refused: isToAll ? .stormBroadcast : .stormMulticast)
        }
    }
    let owner = owner(of: source, learner.port, snapshot)
    if flags.has(.locked), owner.port != learner.port { return Path(refused: .portLocked) }
    var value = learner.value(of: source)
    // A frame of a local guest that the switch beyond the uplink sends back does not show that the guest is there.
    let sender = flags.has(.wire) ? localSender(of: source, cameBy: learner.port, snapshot) : .none
    var lasts = true
    if !sender.isNone {
        value = FDBValue(port: learner.port, guest: sender.guest, seen: value.seen)
    } else {
        if owner.port == learner.port {
            value = FDBValue(port: learner.port, guest: owner.guest, seen: value.seen)
        } else if learner.spoofCheck || !owner.isNone && isUp(owner.port, snapshot) {
            return Path(refused: .spoofedSource)
        }
        if flags.has(.addressLimit), owner.port != learner.port, !hasRoom(for: source, learner.port, fdb, snapshot) {
            countUnlearned(record, learner.port, lcore)
            lasts = false
        } else if !flags.has(.noLearning) {
            let learned = learn(record, value, learner.port, fdb, lcore)
            value = learned.value
            lasts = learned.verdict == .known
        }
    }
    let from = UInt64(value.guest) | learner.input
    return wayByRules(record, begin, from, lasts, sender, learner, flags, fdb, lcore, snapshot)
}

/// Finds where a frame goes after its source has been dealt with.
@inline(__always) @_noLocks
private func wayByRules(
    _ record: UnsafeMutablePointer<FrameRecord>, _ begin: Int, _ from: UInt64, _ lasts: Bool, _ sender: FDBValue, _ learner: Learner, _ flags: PortFlags,
    _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Path {
    let views = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped
    let bridge = snapshot.pointee.bridges.baseAddress.unsafelyUnwrapped + Int(views[Int(learner.port)].bridge)
    let everywhere = from | UInt64(flooded) &<< 48
    let isGroup = record.pointee.flags.has(.multicast)
    if isBPDU(record.pointee.destination) { return Path(everywhere, lasts: false) }
    // Frames that tell about group memberships must be examined, which `flood` does.
    if flags.has(.detours), isGroup, bridge.pointee.groups != nil { return Path(everywhere, lasts: false) }
    // If the bridge has no uplink at the moment, its index is `flooded`, and flooding then finds no receiver.
    if flags.has(.detours) { return Path(from | UInt64(bridge.pointee.uplink) &<< 48, lasts: lasts && !isGroup) }
    if flags.has(.wire), bridge.pointee.through != flooded {
        return sender.isNone ? Path(from | UInt64(bridge.pointee.through) &<< 48, lasts: lasts && !isGroup) : Path(refused: .reflected)
    }
    if isGroup { return Path(everywhere, lasts: false) }
    let entry = fdb.lookup(mac: record.pointee.destination)
    if entry.isNone {
        if flags.has(.stormControl), !mayFlood(.unknown, record, begin, learner.port, lcore, snapshot) { return Path(refused: .stormUnknown) }
        return Path(everywhere, lasts: false)
    }
    let there = views[Int(entry.port)].flags
    if !sender.isNone {
        guard entry.port != sender.port, there.has(receivers(ofReflected: views[Int(sender.port)].flags)) else { return Path(refused: .reflected) }
    } else if entry.port == learner.port, !flags.has(.hairpin) {
        return Path(refused: .sourcePort)
    }
    if flags.has(.isolated), there.has(.isolated) { return Path(refused: .isolated) }
    if flags.has(.bridged), there.has(.detours) { return Path(from | UInt64(bridge.pointee.uplink) &<< 48, lasts: lasts) }
    return Path(from | entry.raw & 0xffff_0000 | entry.raw &<< 48, lasts: lasts)
}

/// Whether the port's limit on addresses lets it learn this one, or the address is already known behind it.
@inline(__always) @_noLocks
private func hasRoom(for source: UInt64, _ port: PortIndex, _ fdb: ForwardingDatabase, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    fdb.lookup(mac: source).port == port || fdb.learnedCount(behind: port) < snapshot.pointee.limits[unchecked: Int(port)].addresses
}

private enum Flooding {
    case broadcast, multicast, unknown
}

/// Whether the port's storm limit lets the frames of a run be flooded. If so, they are taken from the limit.
@inline(never) @_noLocks
private func mayFlood(
    _ kind: Flooding, _ record: UnsafeMutablePointer<FrameRecord>, _ begin: Int, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Bool {
    let end = Int(record.pointee.end)
    var bytes: UInt64 = 0
    for index in begin..<end { bytes &+= UInt64(lcore.pointee.lengths[index]) }
    let limits = snapshot.pointee.limits.baseAddress.unsafelyUnwrapped + Int(port)
    let buckets = snapshot.pointee.ports[unchecked: Int(port)].link.unsafelyUnwrapped.pointee.port.pointee.storms
    let now = lcore.pointee.now
    switch kind {
    case .broadcast: return StormBuckets.consume(from: buckets.pointee.broadcast, limits.pointee.broadcast, frames: end &- begin, bytes: bytes, at: now)
    case .multicast: return StormBuckets.consume(from: buckets.pointee.multicast, limits.pointee.multicast, frames: end &- begin, bytes: bytes, at: now)
    case .unknown: return StormBuckets.consume(from: buckets.pointee.unknown, limits.pointee.unknown, frames: end &- begin, bytes: bytes, at: now)
    }
}
