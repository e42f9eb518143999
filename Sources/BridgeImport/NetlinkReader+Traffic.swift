import Packet

// Queueing disciplines and classes of the messages of rtnetlink(7): struct tcmsg and attributes (linux/rtnetlink.h, linux/pkt_sched.h).

/// The head of a message about queueing.
struct TrafficHead {
    var index: Int
    var handle: TrafficHandle
    var parent: TrafficHandle
    var info: UInt32
    /// TCA_KIND and TCA_OPTIONS.
    var kind: String
    var options: NetlinkReader

    init?(_ message: [UInt8]) {
        guard let head = NetlinkReader(message, skipping: 0), let index = head.i32(4), let handle = head.u32(8), let parent = head.u32(12),
            let info = head.u32(16),
            let attributes = NetlinkReader(message, skipping: 20)?.attributes, let kind = attributes[1]?.text
        else { return nil }
        self.index = Int(index)
        self.handle = TrafficHandle(handle)
        self.parent = TrafficHandle(parent)
        self.info = info
        self.kind = kind
        options = attributes[2] ?? NetlinkReader([])
    }
}

extension QueueingDiscipline {
    /// - Parameter message: the payload of RTM_NEWQDISC.
    /// - Returns: the discipline and the index of its interface.
    public static func read(_ message: [UInt8]) -> (index: Int, qdisc: QueueingDiscipline)? {
        guard let head = TrafficHead(message) else { return nil }
        return (head.index, QueueingDiscipline(kind(head.kind, head.options), name: head.kind, handle: head.handle, parent: head.parent))
    }

    private static func kind(_ name: String, _ options: NetlinkReader) -> Kind {
        switch name {
        case "htb":
            // struct tc_htb_glob
            guard let global = options.attributes[2 /* TCA_HTB_INIT */], let r2q = global.u32(4), let standard = global.u32(8) else { return .other }
            return .htb(standard: standard, r2q: r2q)
        case "tbf":
            let values = options.attributes
            // struct tc_tbf_qopt
            guard let parameters = values[1 /* TCA_TBF_PARMS */], let rate = RateSpecification(parameters, 0), let peak = RateSpecification(parameters, 12),
                let limit = parameters.u32(24), let buffer = parameters.u32(28)
            else { return .other }
            let bytes = values[4 /* TCA_TBF_RATE64 */]?.u64() ?? UInt64(rate.rate)
            return .tbf(
                rate: bytes, burst: TrafficWords.roundest(Ticks.sizes(buffer, at: bytes)),
                peak: values[5 /* TCA_TBF_PRATE64 */]?.u64() ?? UInt64(peak.rate), limit: UInt64(limit))
        case "prio":
            guard let bands = options.i32(0) else { return .other }
            return .prio(bands: Int(bands), map: (0..<16).compactMap { options.u8(4 + $0) })
        case "ets":
            let values = options.attributes
            guard let bands = values[1 /* TCA_ETS_NBANDS */]?.u8() else { return .other }
            return .ets(bands: Int(bands), strict: Int(values[2 /* TCA_ETS_NSTRICT */]?.u8() ?? 0))
        case "ingress": return .ingress
        case "clsact": return .clsact
        case "pfifo", "pfifo_head_drop":
            // struct tc_fifo_qopt
            return options.u32(0).map { .fifo(limit: $0) } ?? .other
        case "codel", "fq_codel":
            // Target, limit and interval have the same numbers in both.
            let values = options.attributes
            guard let target = values[1]?.u32(), let limit = values[2]?.u32(), let interval = values[3]?.u32() else { return .other }
            return .codel(flows: name == "fq_codel", target: UInt64(target), interval: UInt64(interval), limit: limit)
        default: return .other
        }
    }
}

extension TrafficClass {
    /// - Parameter message: the payload of RTM_NEWTCLASS.
    public static func read(_ message: [UInt8]) -> TrafficClass? {
        guard let head = TrafficHead(message) else { return nil }
        var htb: HTB?
        let values = head.options.attributes
        // struct tc_htb_opt
        if head.kind == "htb", let parameters = values[1 /* TCA_HTB_PARMS */], let rate = RateSpecification(parameters, 0),
            let ceil = RateSpecification(parameters, 12),
            let buffer = parameters.u32(24), let ceilingBuffer = parameters.u32(28), let quantum = parameters.u32(32), let priority = parameters.u32(40)
        {
            let bytes = values[6 /* TCA_HTB_RATE64 */]?.u64() ?? UInt64(rate.rate), most = values[7 /* TCA_HTB_CEIL64 */]?.u64() ?? UInt64(ceil.rate)
            htb = HTB(
                rate: bytes, ceiling: most, burst: Ticks.sizes(buffer, at: bytes), ceilingBurst: Ticks.sizes(ceilingBuffer, at: most),
                priority: priority, quantum: quantum, overhead: rate.overhead, mpu: rate.mpu)
        }
        return TrafficClass(head.handle, parent: head.parent, name: head.kind, htb: htb)
    }
}

/// struct tc_ratespec.
struct RateSpecification {
    var overhead: UInt16
    var mpu: UInt16
    /// Bytes a second; the largest value where the rate is in an attribute of its own.
    var rate: UInt32

    init?(_ reader: NetlinkReader, _ offset: Int) {
        guard let overhead = reader.u16(offset + 2), let mpu = reader.u16(offset + 6), let rate = reader.u32(offset + 8) else { return nil }
        self.overhead = overhead
        self.mpu = mpu
        self.rate = rate
    }
}

/// A burst as the kernel keeps it: the time that it takes at a rate, in ticks of 64 ns (PSCHED_SHIFT in include/net/pkt_sched.h).
enum Ticks {
    /// The sizes in bytes that tc encodes as this time: it rounds the time down to a microsecond, and then to a tick (tc_calc_xmittime in iproute2).
    static func sizes(_ ticks: UInt32, at rate: UInt64) -> ClosedRange<UInt64> {
        // A tick is 8/125 of a microsecond.
        let first = (UInt64(ticks) * 8 + 124) / 125, last = max((UInt64(ticks) + 1) * 8 / 125, first)
        func bytes(_ microseconds: UInt64) -> UInt64 {
            let (high, low) = microseconds.multipliedFullWidth(by: rate)
            return high >= 1_000_000 ? .max : UInt64(1_000_000).dividingFullWidth((high, low)).quotient
        }
        let smallest = bytes(first), largest = bytes(last + 1)
        return smallest...max(smallest, largest)
    }
}
