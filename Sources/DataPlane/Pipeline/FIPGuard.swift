import DPDKShim
import LinkProtocols
import Packet
import Scheduler
import Synchronization

/// The addresses that Fibre Channel's nodes were granted on a bridge (FIP snooping). Any loop that receives a frame of FIP changes them, and all loops read them.
struct FIPGuard: ~Copyable {
    /// Whether a thread is using `snooper`.
    private let isTaken = Atomic<Bool>(false)
    private let snooper: UnsafeMutablePointer<FIPSnooper>
    private let seed: UInt64
    /// What `snooper` has granted, for loops to read.
    private let words: UnsafeMutablePointer<SharedWord>

    private struct SharedWord: ~Copyable {
        let value = Atomic<UInt64>(0)
    }

    init() {
        let seed = UInt64.random(in: 0 ... .max)
        self.init(FIPSnooper(seed: seed), seed: seed)
    }

    private init(_ own: consuming FIPSnooper, seed: UInt64) {
        self.seed = seed
        snooper = .onOwnLines(1)
        snooper.initialize(to: own)
        words = .onOwnLines(FIPSnooper.capacity)
        for place in 0..<FIPSnooper.capacity { (words + place).initialize(to: SharedWord()) }
    }

    deinit {
        snooper.deinitialize(count: 1)
        snooper.deallocate()
        words.deallocate()
    }

    /// A copy, with which can be tried what a frame would change; nil: other threads use this one all the time. For the control thread.
    func copy() -> FIPGuard? {
        if !take() { return nil }
        let copy = FIPGuard(FIPSnooper(copying: snooper.pointee), seed: seed)
        isTaken.store(false, ordering: .releasing)
        copy.publish()
        return copy
    }

    /// The grants in force; nil: other threads use them all the time. For the control thread.
    func list(at now: Nanoseconds) -> [FIPGrant]? {
        if !take() { return nil }
        defer { isTaken.store(false, ordering: .releasing) }
        return snooper.pointee.list(at: now)
    }

    @_noLocks
    func isGranted(_ address: UInt64, vlan: UInt16, port: PortIndex) -> Bool {
        let word = FIPSnooper.word(address, vlan: vlan, port: port), begin = FIPSnooper.place(of: word, seed: seed)
        for place in begin..<begin &+ FIPSnooper.ways where words[place].value.load(ordering: .relaxed) == word { return true }
        return false
    }

    /// Takes a frame of FIP, and decides whether it may pass. If other threads are taking theirs all the time, it may not; whoever sent it tries again.
    @_noLocks
    func receive(_ frame: FIPFrame, from port: PortIndex, vlan: UInt16, isWatched: Bool, at now: Nanoseconds) -> FIPVerdict {
        if !take() { return .cannotBeJudged }
        let verdict = snooper.pointee.receive(frame, from: port, vlan: vlan, isWatched: isWatched, at: now)
        publish()
        isTaken.store(false, ordering: .releasing)
        return verdict
    }

    /// Waits a moment until no other thread uses `snooper`.
    /// - Returns: false if one still does.
    @_noLocks
    private func take() -> Bool {
        var attempts = 0
        while isTaken.exchange(true, ordering: .acquiring) {
            attempts &+= 1
            if attempts == 1_000 { return false }
            sluice_pause()
        }
        return true
    }

    /// Ends grants whose time is over, and those of ports that `stays` refuses. For the control thread.
    func advance(to now: Nanoseconds, stays: (PortIndex) -> Bool) {
        if isTaken.exchange(true, ordering: .acquiring) { return }
        snooper.pointee.advance(to: now, stays: stays)
        publish()
        isTaken.store(false, ordering: .releasing)
    }

    @_noLocks
    private func publish() {
        for place in 0..<FIPSnooper.capacity {
            let word = snooper.pointee.word(at: place)
            if words[place].value.load(ordering: .relaxed) != word { words[place].value.store(word, ordering: .relaxed) }
        }
    }
}

/// Judges the frames that came in by a port of a bridge that watches FIP: drops what nodes may not send, and remembers what they are granted. Frames that may
/// pass, and their lengths, are moved to the front. Returns their number.
@inline(never) @_noLocks
func watchFIP(
    _ fip: UnsafeMutablePointer<FIPGuard>, isWatched: Bool, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let frames = lcore.pointee.received, lengths = lcore.pointee.lengths
    var kept = 0
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        if judgeFIP(frame, fip, isWatched, source, lcore, snapshot).verdict.mayPass {
            frames[kept] = frame
            lengths[kept] = lengths[index]
            kept &+= 1
        } else {
            lcore.pointee.counters[Int(source)].count(drop: .fcoeNotGranted)
            noteDrop(frame, .fcoeNotGranted, source, lcore)
            sluice_frame_free(frame)
        }
    }
    return kept
}

/// What is made of a frame, and the address that it is about (0: none) in its VLAN.
struct FIPJudgement {
    var verdict: FIPVerdict
    var address: UInt64 = 0
    var vlan: UInt16 = 0

    @inline(__always) @_noLocks
    init(_ verdict: FIPVerdict, _ address: UInt64 = 0, vlan: UInt16 = 0) {
        self.verdict = verdict
        self.address = address
        self.vlan = vlan
    }
}

@inline(__always) @_noLocks
func judgeFIP(
    _ frame: Frame, _ fip: UnsafeMutablePointer<FIPGuard>, _ isWatched: Bool, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> FIPJudgement {
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped), contiguous = Int(sluice_frame_contiguous(frame))
    // It is dropped later, as a runt.
    if contiguous < HeaderSize.ethernet { return FIPJudgement(.isOther) }
    switch UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self)) {
    case EtherType.fcoe, EtherType.fip, EtherType.vlan, EtherType.serviceVLAN: break
    default:
        // The addresses are for Fibre Channel only.
        let isOther = isWatched && FIPSnooper.isGrantable(UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt32.self))) &<< 16)
        return FIPJudgement(isOther ? .isAnotherProtocol : .isOther)
    }
    var record = FrameRecord()
    parse(bytes, contiguous: contiguous, length: sluice_frame_length(frame), into: &record)
    let vlans = snapshot.pointee.ports[unchecked: Int(source)].vlans
    let vlan = vlans == nil ? 0 : vlans.unsafelyUnwrapped.pointee.ingress(bytes, &record).vlan
    switch record.etherType {
    case EtherType.fip:
        guard let message = FIPFrame(bytes, count: contiguous, at: Int(record.l3Offset)) else { return FIPJudgement(isWatched ? .isMalformed : .passes) }
        let verdict = fip.pointee.receive(message, from: source, vlan: vlan, isWatched: isWatched, at: lcore.pointee.now)
        return FIPJudgement(verdict, message.subject, vlan: vlan)
    case EtherType.fcoe where isWatched:
        if !FIPSnooper.isGrantable(record.source) { return FIPJudgement(.isFromElsewhere, record.source, vlan: vlan) }
        // Nodes with a forwarder send to it alone, and nodes without one to each other.
        let isMeant = FIPSnooper.isClaimable(record.source) ? FIPSnooper.isClaimable(record.destination) : !FIPSnooper.isGrantable(record.destination)
        let isGranted = fip.pointee.isGranted(record.source, vlan: vlan, port: source)
        return FIPJudgement(!isGranted ? .notGranted : isMeant ? .isGranted : .isForElsewhere, record.source, vlan: vlan)
    default: return FIPJudgement(isWatched && FIPSnooper.isGrantable(record.source) ? .isAnotherProtocol : .isOther)
    }
}

extension DataPlane {
    /// The guard of each bridge that has a port with `fip-snooping`. A bridge keeps it as long as it exists, so that grants outlive changes of other ports.
    func adoptFIPGuards() {
        for name in Set(connectedPorts.filter(\.settings.fipSnooping).map(\.settings.bridge)) where bridges[name] != nil && bridges[name]!.fip == nil {
            let made = UnsafeMutablePointer<FIPGuard>.onOwnLines(1)
            made.initialize(to: FIPGuard())
            bridges[name]!.fip = made
        }
        advanceFIPGuards()
    }

    /// The guard that sees what comes in by a port: its own, if the port is watched; and that of its bridge, if the port is physical, as forwarders are behind it.
    func fipGuard(of port: Port, _ watching: Set<String>) -> UnsafeMutablePointer<FIPGuard>? {
        guard port.settings.fipSnooping || port.isPhysical, watching.contains(port.settings.bridge) else { return nil }
        return bridges[port.settings.bridge]?.fip
    }

    /// Ends grants whose time is over, and those of ports that are gone or down.
    func advanceFIPGuards() {
        for (name, bridge) in bridges {
            guard let fip = bridge.fip else { continue }
            let up = Set(connectedPorts.filter { $0.settings.bridge == name && ($0.settings.fipSnooping || $0.isPhysical) && $0.sightNow.isUp }.map(\.index))
            fip.pointee.advance(to: runtime.now) { up.contains($0) }
        }
    }
}
