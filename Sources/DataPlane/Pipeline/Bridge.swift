import Bridge
import DPDKShim
import Packet

/// The value of `FrameRecord.output` for a frame that goes to all ports of its bridge except the one it came in by.
let flooded: PortIndex = .max

/// Stage 3: learns the source address of each run of frames and finds the run's output. Returns the number of runs that stay; their order is kept.
@inline(__always) @_noLocks
func bridge(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    if runs == 0 { return 0 }
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let fdb = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fdb
    let records = lcore.pointee.records, missed = lcore.pointee.missed
    let stamp = PathCache.stamp(port: source, seconds: lcore.pointee.seconds, changes: fdb.changes, configuration: snapshot.pointee.number)
    var misses = 0
    var run = 0
    repeat {
        if let forwarding = PathCache.find(pathLine(of: records + run), addresses(of: records + run), stamp) {
            records[run].forwarding = forwarding
        } else {
            missed[misses] = run
            misses &+= 1
        }
        run &+= 1
    } while run < runs
    if misses == 0 { return runs }
    let learner = Learner(port, source, seconds: lcore.pointee.seconds), flags = port.pointee.flags
    if flags.has(.ways) { return bridgeMissesByRules(misses, runs, learner, flags, stamp, fdb, lcore, snapshot) }
    return bridgeMisses(misses, runs, learner, stamp, fdb, lcore, snapshot)
}

/// The destination and source addresses of a record, in this order.
@inline(__always) @_noLocks
func addresses(of record: UnsafeMutablePointer<FrameRecord>) -> SIMD2<UInt64> {
    UnsafeRawPointer(record).loadUnaligned(as: SIMD2<UInt64>.self)
}

/// Finds the path cache's line for a pair of addresses and prefetches it. The record keeps the pointer in `forwarding` until the bridge stage writes the result
/// there.
@inline(__always) @_noLocks
func fetchPath(_ destination: UInt64, _ source: UInt64, _ record: UnsafeMutablePointer<FrameRecord>, _ paths: PathCache) {
    let line = paths.line(destination, source)
    sluice_prefetch(line)
    record.pointee.forwarding = UInt64(UInt(bitPattern: line))
}

@inline(__always) @_noLocks
func pathLine(of record: UnsafeMutablePointer<FrameRecord>) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: UInt(record.pointee.forwarding)).unsafelyUnwrapped
}

/// Bridges the runs that the path cache knew no path for, and drops those that are refused. Returns how many of all runs stay.
@inline(never) @_noLocks
private func bridgeMisses(
    _ misses: Int, _ runs: Int, _ learner: Learner, _ stamp: UInt64, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let records = lcore.pointee.records, missed = lcore.pointee.missed
    for index in 0..<misses {
        let record = records + missed[index]
        let source = fdb.firstLine(of: record.pointee.source), destination = fdb.firstLine(of: record.pointee.destination)
        sluice_prefetch(source)
        sluice_prefetch(destination)
        lcore.pointee.sourceLines[index] = source
        lcore.pointee.destinationLines[index] = destination
    }
    var isRefused = false
    let turn = lcore.pointee.turns.load(ordering: .relaxed)
    for index in 0..<misses {
        let record = records + missed[index]
        let line = pathLine(of: record)
        if let forwarding = known(
            record, lcore.pointee.sourceLines[index].unsafelyUnwrapped, lcore.pointee.destinationLines[index].unsafelyUnwrapped, learner, fdb) {
            record.pointee.forwarding = forwarding
            PathCache.remember(line, addresses(of: record), stamp, forwarding, turn: turn &+ UInt64(truncatingIfNeeded: index))
        } else {
            let path = lookUp(record, learner, fdb, lcore, snapshot)
            record.pointee.forwarding = path.forwarding
            if path.forwarding & refused == refused {
                isRefused = true
            } else if path.lasts {
                PathCache.remember(line, addresses(of: record), stamp, path.forwarding, turn: turn &+ UInt64(truncatingIfNeeded: index))
            }
        }
    }
    return isRefused ? dropRefused(runs, learner.port, lcore) : runs
}

/// What the forwarding database is to learn from frames that come in by one port.
struct Learner {
    let port: PortIndex
    let spoofCheck: Bool
    /// What to learn about a source address that belongs to no configured guest, unless its VLAN has a guest of its own.
    private let value: FDBValue
    /// `PortVLANs.guests`.
    private let guests: UnsafeMutablePointer<UInt16>?
    /// `FrameRecord.input` at its place in `FrameRecord.forwarding`.
    let input: UInt64

    @inline(__always) @_noLocks
    init(_ view: UnsafeMutablePointer<PortView>, _ port: PortIndex, seconds: UInt32) {
        self.port = port
        spoofCheck = view.pointee.spoofCheck
        value = FDBValue(port: port, guest: view.pointee.defaultGuest, seen: seconds)
        guests = view.pointee.vlans?.pointee.guests
        input = UInt64(port) &<< 32
    }

    /// What to learn about a source address that belongs to no configured guest.
    @inline(__always) @_noLocks
    func value(of source: UInt64) -> FDBValue {
        guard let guests else { return value }
        return FDBValue(port: port, guest: guests[Int(PortVLANs.vlan(of: source))], seen: value.seen)
    }

    /// Whether a frame with this source may enter and teaches nothing new, given that the database found `found` for the source. With a spoof check only
    /// configured addresses can be decided upon here.
    @inline(__always) @_noLocks
    func teachesNothing(_ found: FDBValue, of source: UInt64) -> Bool {
        !spoofCheck && found.raw == value(of: source).raw || found.isStatic && found.port == port
    }
}

/// Stands in place of `FrameRecord.forwarding` for frames that are to be dropped: the input is a port that does not exist, and the lowest bits are
/// `DropReason.rawValue`.
@inline(__always) var refused: UInt64 { @_noLocks get { 0xffff_0000_0000 } }

/// The value of `FrameRecord.forwarding`, found the short way: there must be nothing to learn from the source, and both addresses must be in the first of the
/// database's lines that they may be in, as most are. nil if that is not so.
@inline(__always) @_noLocks
private func known(
    _ record: UnsafeMutablePointer<FrameRecord>, _ sourceLine: UnsafeRawPointer, _ destinationLine: UnsafeRawPointer, _ learner: Learner,
    _ fdb: ForwardingDatabase
) -> UInt64? {
    guard let from = fdb.lookup(mac: record.pointee.source, inFirstLine: sourceLine), learner.teachesNothing(from, of: record.pointee.source),
        let to = fdb.lookup(mac: record.pointee.destination, inFirstLine: destinationLine), to.port != learner.port
    else { return nil }
    return UInt64(from.guest) | learner.input | to.raw & 0xffff_0000 | to.raw &<< 48
}

/// The result of a look-up: where a frame goes.
struct Path {
    /// The value of `FrameRecord.forwarding`, or `refused` with the reason.
    var forwarding: UInt64
    /// Whether the result stays right as long as the configuration and the forwarding database do not change, so that the path cache may keep it.
    var lasts: Bool

    @inline(__always) @_noLocks
    init(_ forwarding: UInt64, lasts: Bool) {
        self.forwarding = forwarding
        self.lasts = lasts
    }

    @inline(__always) @_noLocks
    init(refused reason: DropReason) { self.init(refuse(reason), lasts: false) }
}

/// Learns a frame's source address and finds the frame's output. The result lasts only if the source taught nothing new and the destination is in the
/// forwarding database.
@inline(never) @_noLocks
private func lookUp(
    _ record: UnsafeMutablePointer<FrameRecord>, _ learner: Learner, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Path {
    let owner = owner(of: record.pointee.source, learner.port, snapshot)
    var value = learner.value(of: record.pointee.source)
    if owner.port == learner.port {
        value = FDBValue(port: learner.port, guest: owner.guest, seen: value.seen)
    } else if learner.spoofCheck || !owner.isNone && isUp(owner.port, snapshot) {
        // The frame is refused before its source is learned: an address that the port may not use must not attract traffic either.
        return Path(refused: .spoofedSource)
    }
    let learned = learn(record, value, learner.port, fdb, lcore)
    let from = UInt64(learned.value.guest) | UInt64(learner.port) &<< 32
    if record.pointee.flags.has(.multicast) { return Path(from | UInt64(flooded) &<< 48, lasts: false) }
    let entry = fdb.lookup(mac: record.pointee.destination)
    if entry.isNone { return Path(from | UInt64(flooded) &<< 48, lasts: false) }
    if entry.port == learner.port { return Path(refused: .sourcePort) }
    return Path(from | entry.raw & 0xffff_0000 | entry.raw &<< 48, lasts: learned.verdict == .known)
}

/// Learns the source address of a run, after it has been found that the port may use it, and counts the result.
@inline(__always) @_noLocks
func learn(
    _ record: UnsafeMutablePointer<FrameRecord>, _ value: FDBValue, _ port: PortIndex, _ fdb: ForwardingDatabase, _ lcore: UnsafeMutablePointer<Lcore>
) -> LearnResult {
    let source = record.pointee.source
    var learned = fdb.learn(mac: source, value)
    // The entry belongs to an owner whose port is down, as the caller has found, so it may be replaced.
    if learned.verdict == .refusedStatic { learned = fdb.overrule(mac: source, value) }
    if learned.verdict != .known {
        switch learned.verdict {
        case .learned, .evicted: lcore.pointee.counters[Int(port)].learned &+= 1
        case .moved: lcore.pointee.counters[Int(port)].moved &+= 1
        case .full: countUnlearned(record, port, lcore)
        default: break
        }
    }
    return learned
}

/// Counts the frames of a run whose source was not learned.
@inline(never) @_noLocks
func countUnlearned(_ record: UnsafeMutablePointer<FrameRecord>, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    let begin = record == lcore.pointee.records ? 0 : (record - 1).pointee.end
    lcore.pointee.counters[Int(port)].unlearned &+= UInt64(record.pointee.end &- begin)
}

/// The port and guest that an address is configured for; `FDBValue.none` if there are none.
@inline(__always) @_noLocks
func owner(of address: UInt64, _ port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> FDBValue {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    let owners = snapshot.pointee.bridges[unchecked: Int(view.pointee.bridge)].owners
    let owner = owners.owner(of: address)
    if !owner.isNone || view.pointee.vlans == nil { return owner }
    // Asks for an owner that is configured for the address in all VLANs of its port.
    let everywhere = owners.owner(of: address & 0xffff_ffff_ffff)
    if everywhere.isNone { return everywhere }
    guard let vlans = snapshot.pointee.ports[unchecked: Int(everywhere.port)].vlans, vlans.pointee.isMember(PortVLANs.vlan(of: address)) else { return .none }
    return everywhere
}

@inline(__always) @_noLocks
func refuse(_ reason: DropReason) -> UInt64 { refused | UInt64(reason.rawValue) }

/// Drops the runs that were refused and moves the others together. Returns how many stay.
@inline(never) @_noLocks
func dropRefused(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) -> Int {
    let records = lcore.pointee.records
    var keptRuns = 0, kept = 0, start = 0
    for index in 0..<runs {
        let begin = start
        start = Int(records[index].end)
        let forwarding = records[index].forwarding
        if forwarding & refused == refused {
            drop(begin, start, DropReason(rawValue: UInt8(truncatingIfNeeded: forwarding)).unsafelyUnwrapped, source, lcore)
        } else {
            records[keptRuns] = records[index]
            compact(begin, start, &kept, lcore)
            records[keptRuns].end = UInt16(truncatingIfNeeded: kept)
            keptRuns &+= 1
        }
    }
    return keptRuns
}

/// Whether frames can reach a port: a vhost port has a guest connected, any other has its link up.
@inline(never) @_noLocks
func isUp(_ port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    guard let link = snapshot.pointee.ports[unchecked: Int(port)].link else { return false }
    return link.pointee.connection.load(ordering: .relaxed) >= 0
}
