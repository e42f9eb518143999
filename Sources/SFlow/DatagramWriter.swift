/// A datagram, and how many samples of each kind it has.
public struct Datagram: Equatable, Sendable {
    public var bytes: [UInt8]
    public var flowSamples: Int
    public var counterSamples: Int
}

/// Puts samples into datagrams of sFlow version 5 (https://sflow.org/sflow_version_5.txt), as many into each as fit. It neither sends nor reads a clock.
public struct DatagramWriter: Sendable {
    /// The most bytes of a datagram, so that one is not fragmented on any usual link (sFlow version 5, 5.2).
    public static let longest = 1_400

    /// The agent's IPv4 or IPv6 address, in 4 or 16 octets.
    public var agent: [UInt8]
    /// Tells agents apart that have one address, such as several daemons of one host.
    public var subAgent: UInt32
    /// The number of the datagram that was finished last.
    private var sequence: UInt32 = 0

    private var samples: [UInt8] = []
    private var flowSamples = 0, counterSamples = 0

    public init(agent: [UInt8], subAgent: UInt32 = 0) {
        precondition(agent.count == 4 || agent.count == 16, "an agent has an IPv4 or an IPv6 address")
        (self.agent, self.subAgent) = (agent, subAgent)
    }

    /// Adds a sample.
    /// - Parameter uptime: milliseconds since the agent started.
    /// - Returns: a datagram with the samples before this one, if this one finds no room beside them.
    public mutating func add(_ sample: FlowSample, uptime: UInt64) -> Datagram? {
        let full = append(uptime, sample.write)
        flowSamples += 1
        return full
    }

    /// Does the same for a sample of counters.
    public mutating func add(_ sample: CounterSample, uptime: UInt64) -> Datagram? {
        let full = append(uptime, sample.write)
        counterSamples += 1
        return full
    }

    /// The samples that are in no datagram yet; nil: there are none.
    public mutating func finish(uptime: UInt64) -> Datagram? {
        if samples.isEmpty { return nil }
        defer { (samples, flowSamples, counterSamples) = ([], 0, 0) }
        sequence &+= 1
        var xdr = XDR()
        xdr.append(UInt32(5))
        xdr.append(agent.count == 4 ? 1 : 2 as UInt32)
        xdr.append(fixed: agent)
        xdr.append(subAgent)
        xdr.append(sequence)
        xdr.append(UInt32(truncatingIfNeeded: uptime))
        xdr.append(UInt32(flowSamples + counterSamples))
        xdr.append(fixed: samples)
        return Datagram(bytes: xdr.bytes, flowSamples: flowSamples, counterSamples: counterSamples)
    }

    /// Bytes of a datagram in front of its samples.
    private var front: Int { 24 + agent.count }

    private mutating func append(_ uptime: UInt64, _ write: (inout XDR) -> Void) -> Datagram? {
        var xdr = XDR()
        write(&xdr)
        let full = front + samples.count + xdr.bytes.count > Self.longest ? finish(uptime: uptime) : nil
        samples += xdr.bytes
        return full
    }
}
