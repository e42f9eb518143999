import Configuration

/// libvirt's `<bandwidth>` element (conf/netdev_bandwidth_conf.c), and what it becomes in Sluice.
///
/// libvirt documents its rates in KiB/s, but passes them to tc as `kbps`, which is 1000 bytes a second, and bursts as `kb`, which is 1024 bytes. Sluice uses
/// the units that libvirt really applies. Directions are the guest's: inbound is towards it. A rate of 0 counts as not set.
public struct LibvirtBandwidth: Equatable, Sendable {
    /// The attributes of one direction, in libvirt's units; nil where one is not written.
    public struct Limits: Equatable, Sendable {
        /// The rates, in units of 1000 bytes a second.
        public var average: UInt64?
        public var peak: UInt64?
        public var floor: UInt64?
        /// In units of 1024 bytes.
        public var burst: UInt64?
        public init(average: UInt64? = nil, peak: UInt64? = nil, floor: UInt64? = nil, burst: UInt64? = nil) {
            self.average = average
            self.peak = peak
            self.floor = floor
            self.burst = burst
        }
    }

    public var inbound: Limits?
    public var outbound: Limits?

    public init(inbound: Limits? = nil, outbound: Limits? = nil) {
        self.inbound = inbound
        self.outbound = outbound
    }

    /// The largest value that is accepted. Multiplied by 8192 it is still below 2^63, so that conversions do not overflow.
    static let most: UInt64 = 1 << 50

    // MARK: Reading

    /// Reads the element. What libvirt would refuse is added to `problems`. The result is nil if the element limits nothing: libvirt treats an empty one as
    /// absent.
    /// - Parameters:
    ///   - path: where the element stands, for messages.
    ///   - floorInstead: where a floor has to be written instead, for the message that refuses it here.
    init?(_ element: XMLTree, _ path: String, floorInstead: String, _ problems: inout ProblemList) {
        self.init()
        for direction in Direction.allCases {
            let all = element.all(direction.rawValue)
            guard let first = all.first else { continue }
            let inner = "\(path).bandwidth.\(direction.rawValue)"
            if all.count > 1 { problems.add(Problem(inner, "<\(direction.rawValue)> stands twice in this <bandwidth>: write it once", line: all[1].line)) }
            guard let limits = Self.limits(first, inner, &problems) else { continue }
            if let floor = limits.floor, floor > 0 { problems.add(Problem(inner, "floor='\(floor)' does not belong here: \(floorInstead)", line: first.line)) }
            if direction == .inbound { inbound = limits } else { outbound = limits }
        }
        if inbound == nil, outbound == nil { return nil }
    }

    private static func limits(_ element: XMLTree, _ path: String, _ problems: inout ProblemList) -> Limits? {
        var isSound = true
        func refuse(_ sentence: String) {
            problems.add(Problem(path, sentence, line: element.line))
            isSound = false
        }
        func number(_ key: String) -> UInt64? {
            guard let text = element.attributes[key] else { return nil }
            guard let value = UInt64(text), value <= most else {
                refuse(
                    "\(key)='\(text)' is not a whole number from 0 to \(most): write it in units of \(key == "burst" ? "1024 bytes" : "1000 bytes a second")")
                return nil
            }
            return value
        }
        let limits = Limits(average: number("average"), peak: number("peak"), floor: number("floor"), burst: number("burst"))
        if element.attributes["average"] == nil {
            for key in ["peak", "burst"] where element.attributes[key] != nil { refuse("a \(key) needs an average: add average='...'") }
            if isSound, element.attributes["floor"] == nil { refuse("it needs average='...'") }
        }
        return isSound ? limits : nil
    }

    // MARK: In Sluice's terms

    /// The class for traffic towards the guest. libvirt makes an HTB class without a parent for the interface. Such a class cannot borrow and never exceeds
    /// its rate, so `average` becomes a ceiling, `burst` its ceiling burst, and `peak` the rate at which a burst leaves.
    public var inboundClass: ClassSettings {
        var settings = ClassSettings()
        guard let inbound, let average = Self.rate(inbound.average) else { return settings }
        settings.ceiling = average
        settings.peak = peak(of: inbound, average)
        settings.ceilingBurst = Self.size(inbound.burst)
        return settings
    }

    /// The pace for traffic from the guest; nil if it is not limited. Where libvirt limits it at all, it drops what exceeds `average`. Sluice instead polls the
    /// guest's ring at that rate, which loses nothing, and lets bursts pass at `peak`. If no burst is written, libvirt takes the number of `average` as KiB;
    /// so does Sluice, up to the largest burst that it accepts.
    public var outboundPace: PaceSettings? {
        guard let outbound, let average = Self.rate(outbound.average) else { return nil }
        return PaceSettings(average: average, peak: peak(of: outbound, average), burst: Self.size(outbound.burst) ?? Self.size(outbound.average))
    }

    private func peak(of limits: Limits, _ average: UInt64) -> UInt64? {
        guard let peak = Self.rate(limits.peak), peak >= average else { return nil }
        return peak
    }

    /// Sentences about values that libvirt accepts and Sluice cannot apply as they are written.
    public var notes: [String] {
        zip(Direction.allCases, [inbound, outbound]).flatMap { direction, limits -> [String] in
            guard let limits else { return [] }
            let name = direction.rawValue, most = Quantity.rate.format(Validator.rates.upperBound)
            var result: [String] = []
            if let average = limits.average, average * 8_000 > Validator.rates.upperBound {
                result.append("\(name) average='\(average)' is faster than \(most), which Sluice counts up to: it is no limit")
            } else if let average = limits.average, average > 0 {
                if let peak = limits.peak, peak > 0, peak < average {
                    result.append("\(name) peak='\(peak)' is below the average, which could never be reached: it is left out")
                }
                if let peak = limits.peak, peak * 8_000 > Validator.rates.upperBound {
                    result.append("\(name) peak='\(peak)' is faster than \(most): it is left out")
                }
                if let burst = limits.burst, burst * 1_024 > Validator.largestBurst {
                    result.append("\(name) burst='\(burst)' is larger than \(Quantity.size.format(Validator.largestBurst)): it is that")
                }
            }
            return result
        }
    }

    /// A rate of libvirt's in bit/s; nil if it is not set, or is so large that Sluice does not count it as a limit.
    static func rate(_ value: UInt64?) -> UInt64? {
        guard let value, value > 0, value * 8_000 <= Validator.rates.upperBound else { return nil }
        return value * 8_000
    }

    /// A burst of libvirt's in bytes, at most the largest that Sluice accepts; nil if it is not set.
    static func size(_ value: UInt64?) -> UInt64? {
        guard let value, value > 0 else { return nil }
        return min(value * 1_024, Validator.largestBurst)
    }
}
