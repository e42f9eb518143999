import Bridge
import DPDKShim
import Packet

// Stage 3 for ports with rules of their own. What is decided here for good, as far as the configuration and the forwarding database stay as they are, the
// path cache remembers like any path; what is counted or limited frame by frame it does not.

/// As `settle`.
@inline(never) @_noLocks
func settleByRules(
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

/// As `lookUp`.
/// - Parameter begin: where the record's run begins in its burst.
@inline(never) @_noLocks
private func lookUpByRules(
    _ record: UnsafeMutablePointer<FrameRecord>, _ begin: Int, _ learner: Learner, _ flags: PortFlags, _ fdb: ForwardingDatabase,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Path {
    if flags.has(.shut) { return Path(refused: .bpduGuard) }
    let source = record.pointee.source, isGroup = record.pointee.flags.has(.multicast)
    // Ahead of learning: a storm's addresses are not to be trusted.
    if isGroup, flags.has(.stormControl) {
        let isToAll = isBroadcast(record.pointee.destination)
        if !mayFlood(isToAll ? .broadcast : .multicast, record, begin, learner.port, lcore, snapshot) {
            return Path(refused: isToAll ? .stormBroadcast : .stormMulticast)
        }
    }
    let owner = owner(of: source, learner.port, snapshot)
    if flags.has(.locked), owner.port != learner.port { return Path(refused: .portLocked) }
    var value = learner.value(of: source)
    // A guest's frame that the switch at the uplink sends back says nothing about where the guest is.
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

/// Where a frame goes whose source has been dealt with.
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
    // What tells of groups has to be seen.
    if flags.has(.detours), isGroup, bridge.pointee.groups != nil { return Path(everywhere, lasts: false) }
    // Where there is no uplink now, flooding finds nobody.
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

/// Whether another address may be learned behind a port, or this one is there already.
@inline(__always) @_noLocks
private func hasRoom(for source: UInt64, _ port: PortIndex, _ fdb: ForwardingDatabase, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    fdb.lookup(mac: source).port == port || fdb.learnedCount(behind: port) < snapshot.pointee.limits[unchecked: Int(port)].addresses
}

private enum Flooding {
    case broadcast, multicast, unknown
}

/// Whether the port's limit lets a run of frames be flooded, which counts then.
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
    case .broadcast: return StormBuckets.take(from: buckets.pointee.broadcast, limits.pointee.broadcast, frames: end &- begin, bytes: bytes, at: now)
    case .multicast: return StormBuckets.take(from: buckets.pointee.multicast, limits.pointee.multicast, frames: end &- begin, bytes: bytes, at: now)
    case .unknown: return StormBuckets.take(from: buckets.pointee.unknown, limits.pointee.unknown, frames: end &- begin, bytes: bytes, at: now)
    }
}
