import Packet

/// Follows the logins of Fibre Channel over Ethernet through a bridge, and knows which port may use which address (FIP snooping; FC-BB-6, annex C).
///
/// Nodes get their addresses in two ways. A forwarder (FCF) grants one in its answer to a login: 0E:FC:xx and the N_Port_ID. Without a forwarder (VN2VN) nodes
/// claim addresses, 0E:FD:00 and a number, and the first that does keeps it. A grant ends by a logout, when the forwarder clears the link, when its port goes, and
/// when the node or the forwarder is not heard of any more.
///
/// What ports say that are not watched is believed. One instance serves a bridge; all it holds is bounded.
public struct FIPSnooper: ~Copyable {
    private struct Grant {
        /// `word(_:_:_:)`; 0: there is none.
        var word: UInt64 = 0
        /// The address of the node, and that of the forwarder that granted it; 0: it is claimed.
        var node: UInt64 = 0
        var forwarder: UInt64 = 0
        /// Since when the node has it, and until when unless it is renewed.
        var since: UInt64 = 0
        var until: UInt64 = 0

        @_noLocks init() {}
    }

    /// A login or logout that was not answered yet.
    private struct Request {
        var node: UInt64 = 0
        /// The address that the node wants to give up; 0: it wants one.
        var address: UInt64 = 0
        var until: UInt64 = 0
        var exchange: UInt16 = 0
        var vlan: UInt16 = 0
        var port: UInt16 = 0

        @_noLocks init() {}
    }

    private let grants: UnsafeMutablePointer<Grant>
    private let requests: UnsafeMutablePointer<Request>
    private let seed: UInt64
    /// How many addresses are granted.
    public private(set) var count = 0

    /// - Parameter seed: a random number, so that no guest can find addresses that keep others out of the table.
    public init(seed: UInt64) {
        grants = .allocate(capacity: Self.capacity)
        grants.initialize(repeating: Grant(), count: Self.capacity)
        requests = .allocate(capacity: Self.mostRequests)
        requests.initialize(repeating: Request(), count: Self.mostRequests)
        self.seed = seed
    }

    /// A copy, with which can be tried what a frame would change.
    public init(copying other: borrowing FIPSnooper) {
        self.init(seed: other.seed)
        grants.update(from: other.grants, count: Self.capacity)
        requests.update(from: other.requests, count: Self.mostRequests)
        count = other.count
    }

    deinit {
        grants.deallocate()
        requests.deallocate()
    }

    /// The most grants of a bridge, and of one port; the most logins that wait for an answer, and those of one port.
    public static var capacity: Int { @_noLocks get { 512 } }
    public static var mostOfPort: Int { @_noLocks get { 32 } }
    private static var mostRequests: Int { @_noLocks get { 64 } }
    private static var mostRequestsOfPort: Int { @_noLocks get { 4 } }
    /// Addresses are in sets of so many, one of which is searched.
    public static var ways: Int { @_noLocks get { 8 } }

    // Times in ns: 2.5 periods of a VN_Port's keep-alives (90 s), and of beacons (8 s); and how long an answer may take (2 R_A_TOV).
    public static var keepAliveTime: UInt64 { @_noLocks get { 225_000_000_000 } }
    public static var beaconTime: UInt64 { @_noLocks get { 20_000_000_000 } }
    public static var answerTime: UInt64 { @_noLocks get { 20_000_000_000 } }

    /// Whether an address is one of those that Fibre Channel's nodes are granted (0E:FC:xx) or claim (0E:FD:xx).
    @_noLocks
    public static func isGrantable(_ address: UInt64) -> Bool { address &>> 33 == 0x77e }
    @_noLocks
    public static func isClaimable(_ address: UInt64) -> Bool { address &>> 24 == 0x0efd00 }

    /// An address, its VLAN and its port in one word, for tables that others read while this changes them.
    @_noLocks
    public static func word(_ address: UInt64, vlan: UInt16, port: UInt16) -> UInt64 {
        1 &<< 63 | UInt64(port & 0x3ff) &<< 45 | UInt64(vlan & 0xfff) &<< 33 | address & 0x1_ffff_ffff
    }

    /// The bits of a word that are not the port.
    private static var identity: UInt64 { @_noLocks get { 1 &<< 63 | ((1 &<< 45) &- 1) } }

    /// Where the set of a word begins, whatever its port.
    @_noLocks
    public static func place(of word: UInt64, seed: UInt64) -> Int {
        var hash = (word & identity ^ seed) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash &>> 32
        hash = hash &* 0xd6e8_feb8_6659_fd93
        return Int(truncatingIfNeeded: hash &>> 58) &* ways
    }

    /// The word at a place of the table; 0: none.
    @_noLocks
    public func word(at place: Int) -> UInt64 { grants[place].word }

    /// The grants in force, by VLAN and address.
    public func list(at now: UInt64) -> [FIPGrant] {
        (0..<Self.capacity).compactMap { place in
            let grant = grants[place]
            if grant.word == 0 || grant.until <= now { return nil }
            return FIPGrant(
                address: grant.word & 0x1_ffff_ffff | 0x0efc_0000_0000, vlan: UInt16(truncatingIfNeeded: grant.word &>> 33 & 0xfff),
                port: UInt16(truncatingIfNeeded: grant.word &>> 45 & 0x3ff), node: grant.node, forwarder: grant.forwarder == 0 ? nil : grant.forwarder,
                age: now - min(grant.since, now), timeLeft: grant.until - now)
        }.sorted { ($0.vlan, $0.address) < ($1.vlan, $1.address) }
    }

    /// Whether a port may send from an address.
    @_noLocks
    public func isGranted(_ address: UInt64, vlan: UInt16, port: UInt16) -> Bool {
        guard let found = find(address, vlan) else { return false }
        return grants[found].word == Self.word(address, vlan: vlan, port: port)
    }

    @_noLocks
    private func find(_ address: UInt64, _ vlan: UInt16) -> Int? {
        if !Self.isGrantable(address) { return nil }
        let word = Self.word(address, vlan: vlan, port: 0), begin = Self.place(of: word, seed: seed)
        for place in begin..<begin &+ Self.ways where grants[place].word & Self.identity == word { return place }
        return nil
    }

    /// Takes a frame, and decides whether it may pass. One that may not changes nothing.
    ///
    /// - Parameters:
    ///   - port: the port that it came in by, below 1024.
    ///   - isWatched: whether the port is a guest's, which may say of itself only what is so. All of the others may pass.
    @_noLocks
    public mutating func receive(_ frame: FIPFrame, from port: UInt16, vlan: UInt16, isWatched: Bool, at now: UInt64) -> FIPVerdict {
        if isWatched, Self.isGrantable(frame.source), !isGranted(frame.source, vlan: vlan, port: port) { return .notGranted }
        switch frame.operation {
        case .solicitation, .probe: return .passes
        case .claim:
            let verdict = claim(frame, port, vlan, now)
            return isWatched || verdict.mayPass ? verdict : .passes
        case .request: return isWatched ? note(frame, port, vlan, now) : .passes
        case .keepAlive: return isWatched ? keep(frame, port, vlan, now) : .passes
        case .answer:
            if !isWatched { return answer(frame, vlan, now) }
            // Nodes without a forwarder log in at each other.
            return (!Self.isGrantable(frame.address) || Self.isClaimable(frame.address)) && hasClaimed(port, vlan) ? .passes : .isForwarders
        case .clear: return isWatched ? .isForwarders : clear(frame, vlan)
        case .advertisement:
            if isWatched { return .isForwarders }
            return frame.needsNoKeepAlives ? renew(frame.source, vlan, now) : .passes
        case .vlanNotice: return isWatched ? .isForwarders : .passes
        case .other: return isWatched ? .isUnknown : .passes
        }
    }

    /// A node says that an address is its own. The first that does keeps it.
    @_noLocks
    private mutating func claim(_ frame: FIPFrame, _ port: UInt16, _ vlan: UInt16, _ now: UInt64) -> FIPVerdict {
        let address = frame.ports[0]
        guard frame.portCount == 1, Self.isClaimable(address), !Self.isGrantable(frame.source) || frame.source == address else { return .cannotBeClaimed }
        if let place = find(address, vlan) {
            if grants[place].word == Self.word(address, vlan: vlan, port: port) {
                grants[place].until = now &+ Self.beaconTime
                return .renews
            }
            if grants[place].until > now { return .isTaken }
            if !hasRoom(port) { return .hasNoRoom }
            remove(place)
        }
        return add(address, vlan, port, node: frame.source, forwarder: 0, now, until: now &+ Self.beaconTime) ? .claims : .hasNoRoom
    }

    /// A node says that it is there, and with which addresses.
    @_noLocks
    private mutating func keep(_ frame: FIPFrame, _ port: UInt16, _ vlan: UInt16, _ now: UInt64) -> FIPVerdict {
        if frame.hasMorePorts { return .notGranted }
        for index in 0..<frame.portCount where !isGranted(frame.ports[index], vlan: vlan, port: port) { return .notGranted }
        for index in 0..<frame.portCount { if let place = find(frame.ports[index], vlan) { grants[place].until = now &+ Self.keepAliveTime } }
        return frame.portCount == 0 ? .passes : .renews
    }

    /// Whether a port may have another address.
    @_noLocks
    private func hasRoom(_ port: UInt16) -> Bool {
        var own = 0
        for place in 0..<Self.capacity where grants[place].word != 0 && (grants[place].word &>> 45) & 0x3ff == UInt64(port) { own &+= 1 }
        return own < Self.mostOfPort
    }

    @_noLocks
    private mutating func add(_ address: UInt64, _ vlan: UInt16, _ port: UInt16, node: UInt64, forwarder: UInt64, _ now: UInt64, until: UInt64) -> Bool {
        if !hasRoom(port) { return false }
        let word = Self.word(address, vlan: vlan, port: port), begin = Self.place(of: word, seed: seed)
        for place in begin..<begin &+ Self.ways where grants[place].word == 0 {
            grants[place].word = word
            grants[place].node = node
            grants[place].forwarder = forwarder
            grants[place].since = now
            grants[place].until = until
            count &+= 1
            return true
        }
        return false
    }

    @_noLocks
    private mutating func remove(_ place: Int) {
        grants[place] = Grant()
        count &-= 1
    }

    /// Remembers a login or logout until it is answered. A request takes the place of an older one of the same node and exchange, of one whose time is over, or
    /// of the port's oldest.
    @_noLocks
    private mutating func note(_ frame: FIPFrame, _ port: UInt16, _ vlan: UInt16, _ now: UInt64) -> FIPVerdict {
        if frame.service != .login && frame.service != .logout { return .isUnknown }
        if frame.service == .logout {
            if !isGranted(frame.address, vlan: vlan, port: port) { return .notGranted }
            // Among nodes without a forwarder it is one of several links that ends, and not the claim.
            if Self.isClaimable(frame.address) { return .passes }
        }
        var free: Int?, oldest: Int?, own = 0
        for place in 0..<Self.mostRequests {
            if requests[place].until <= now {
                if free == nil { free = place }
            } else if requests[place].port == port {
                own &+= 1
                if oldest == nil || requests[place].until < requests[oldest.unsafelyUnwrapped].until { oldest = place }
            }
        }
        guard let place = own >= Self.mostRequestsOfPort ? oldest : free ?? oldest else { return .hasNoRoom }
        requests[place].node = frame.source
        requests[place].address = frame.service == .logout ? frame.address : 0
        requests[place].until = now &+ Self.answerTime
        requests[place].exchange = frame.exchange
        requests[place].vlan = vlan
        requests[place].port = port
        return .asks
    }

    /// Whether a port has claimed an address.
    @_noLocks
    private func hasClaimed(_ port: UInt16, _ vlan: UInt16) -> Bool {
        let bits = Self.word(0x0efd_0000_0000, vlan: vlan, port: port)
        for place in 0..<Self.capacity where grants[place].word & ~0xff_ffff == bits { return true }
        return false
    }

    /// A forwarder answers a login or logout.
    @_noLocks
    private mutating func answer(_ frame: FIPFrame, _ vlan: UInt16, _ now: UInt64) -> FIPVerdict {
        for place in 0..<Self.mostRequests {
            let request = requests[place]
            if request.until <= now || request.node != frame.destination || request.exchange != frame.exchange || request.vlan != vlan { continue }
            requests[place].until = 0
            if frame.service != .accept { return .passes }
            if request.address != 0 {
                let word = Self.word(request.address, vlan: vlan, port: request.port)
                guard let found = find(request.address, vlan), grants[found].word == word else { return .passes }
                remove(found)
                return .ends
            }
            // The address is the forwarder's prefix with the N_Port_ID (FPMA). Nodes that use their own address are not told from others.
            let isMapped = UInt32(truncatingIfNeeded: frame.address & 0xff_ffff) == frame.portID
            guard Self.isGrantable(frame.address), !Self.isClaimable(frame.address), isMapped, frame.source != 0 else { return .passes }
            if let found = find(frame.address, vlan) { remove(found) }
            let isAdded = add(frame.address, vlan, request.port, node: request.node, forwarder: frame.source, now, until: now &+ Self.keepAliveTime)
            return isAdded ? .grants : .passes
        }
        return .passes
    }

    /// A forwarder says that virtual links are gone: those of the named ports, or all of the node's.
    @_noLocks
    private mutating func clear(_ frame: FIPFrame, _ vlan: UInt16) -> FIPVerdict {
        let before = count
        for place in 0..<Self.capacity {
            let grant = grants[place]
            if grant.word == 0 || grant.forwarder != frame.source || (grant.word &>> 33) & 0xfff != UInt64(vlan) { continue }
            let isNode = grant.node == frame.destination || grant.word & 0x1_ffff_ffff == frame.destination & 0x1_ffff_ffff && Self.isGrantable(frame.destination)
            var isMeant = isNode && (frame.portCount == 0 || frame.hasMorePorts)
            for index in 0..<frame.portCount where grant.word & 0x1_ffff_ffff == frame.ports[index] & 0x1_ffff_ffff { isMeant = true }
            if isMeant { remove(place) }
        }
        return count == before ? .passes : .ends
    }

    /// The forwarder is there, and wants no keep-alives.
    @_noLocks
    private mutating func renew(_ forwarder: UInt64, _ vlan: UInt16, _ now: UInt64) -> FIPVerdict {
        var verdict = FIPVerdict.passes
        for place in 0..<Self.capacity
        where grants[place].word != 0 && grants[place].forwarder == forwarder && (grants[place].word &>> 33) & 0xfff == UInt64(vlan) {
            grants[place].until = now &+ Self.keepAliveTime
            verdict = .renews
        }
        return verdict
    }

    /// Ends grants whose time is over, and what ports had that `stays` refuses.
    public mutating func advance(to now: UInt64, stays: (UInt16) -> Bool) {
        for place in 0..<Self.capacity where grants[place].word != 0 {
            if grants[place].until <= now || !stays(UInt16(truncatingIfNeeded: (grants[place].word &>> 45) & 0x3ff)) { remove(place) }
        }
        for place in 0..<Self.mostRequests where requests[place].until > now && !stays(requests[place].port) { requests[place].until = 0 }
    }
}
