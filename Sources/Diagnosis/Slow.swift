import Configuration
import ControlAPI

/// Something that holds a guest back.
public struct Cause: Codable, Equatable, Sendable {
    /// What it is, in one word: `own_ceiling`, `ancestor_ceiling` and the other reasons why classes wait; a reason for drops; `pace`, `poll_time`, `cpu`,
    /// `stalls`, `port`; or `nothing`.
    public var name: String
    /// `inbound` (towards the guest) or `outbound`; nil: both.
    public var direction: String?
    /// How much it holds the guest back, 0 to 1. Weights of different causes need not add up to 1.
    public var weight: Double
    /// What there is to know of it, as a sentence.
    public var sentence: String
    /// What could be done about it, as a sentence; nil: nothing is known.
    public var advice: String?

    init(_ name: String, _ direction: String? = nil, weight: Double, _ sentence: String, advice: String? = nil) {
        (self.name, self.direction, self.sentence, self.advice) = (name, direction, sentence, advice)
        self.weight = (min(max(weight, 0), 1) * 1_000).rounded() / 1_000
    }
}

/// What holds a guest back, by the counters that it moved between two samples.
public enum Slow {
    /// Causes of less weight are not told.
    private static let least = 0.02

    /// - Returns: the causes, the heaviest first; if there is none, one whose name is `nothing`; nil: there is no such guest.
    public static func causes(of name: String, _ before: Sample, _ now: Sample) -> [Cause]? {
        guard let guest = now.guests.first(where: { $0.name == name }) else { return nil }
        let seconds = max(now.time - before.time, 0.001)
        let classes = ClassChange.all(before, now).filter { $0.now.guest == name && $0.now.leaf }
        var causes = classes.flatMap(queueing)
        if let port = now.ports.first(where: { $0.name == guest.port }) {
            causes += Self.port(port, before.ports.first { $0.name == guest.port } ?? PortStatus(), seconds)
            causes += now.cores.flatMap { core in Self.core(core, before.cores.first { $0.cpu == core.cpu }, port.name, seconds) }
        }
        causes = causes.filter { $0.weight >= least }.sorted { ($1.weight, $0.name) < ($0.weight, $1.name) }
        return causes.isEmpty ? [nothing(guest, before, now, seconds)] : causes
    }

    // MARK: Queues

    /// What a leaf waited for, and what it dropped.
    private static func queueing(_ item: ClassChange) -> [Cause] {
        let waits = item.holds.sum
        // A class that has frames all the time is held all the time; otherwise as often as it waits before a frame.
        let pressure = item.hasBacklog ? 1 : min(1, Double(waits) / Double(max(1, item.sent.frames + item.drops.sum)))
        var causes = item.holds.map { reason, count in
            hold(reason, item, weight: pressure * Double(count) / Double(max(1, waits)), perSecond: Double(count) / item.seconds)
        }
        for (reason, count) in item.drops { causes.append(drop(reason, count, of: item.sent.frames, item.now.direction, item.seconds, item.now)) }
        return causes
    }

    private static func hold(_ reason: String, _ item: ClassChange, weight: Double, perSecond: Double) -> Cause {
        let status = item.now, name = "class \(status.path) of \(status.tree)", rate = Quantity.rate.format(rounded(item.rate.bits))
        let often = perSecond >= 1 ? "\(UInt64(perSecond)) times a second" : "now and then"
        let set = "sluice class set \(status.path) dir \(status.direction)"
        func cause(_ sentence: String, _ advice: String? = nil) -> Cause { Cause(reason, status.direction, weight: weight, sentence, advice: advice) }
        switch reason {
        case "own_ceiling":
            let ceiling = status.ceiling.map(Quantity.rate.format) ?? "its ceiling"
            return cause("\(name) is at its own ceiling \(ceiling): it waited \(often), and sent \(rate)", "\(set) ceiling RATE raises it")
        case "peak":
            return cause("\(name) is at its peak \(status.peak.map(Quantity.rate.format) ?? ""): it waited \(often), and sent \(rate)", "\(set) peak RATE raises it")
        case "packet_ceiling":
            let ceiling = status.ceilingPackets.map(Quantity.packets.format) ?? ""
            return cause(
                "\(name) is at its ceiling of \(ceiling): it waited \(often), and sent \(Quantity.packets.format(rounded(item.rate.packets)))", "\(set) ceiling-packets PPS raises it")
        case "ancestor_ceiling":
            let above = item.heldBy.highest?.key ?? status.tree
            let what = above == status.tree ? "\(above)'s rate is used up" : "class \(above), which it shares with others, is at its ceiling"
            return cause("\(what): \(name) waited \(often), and sent \(rate)", "sluice class show \(above == status.tree ? "dev \(above)" : above) shows who uses it")
        case "nothing_to_lend":
            let floor = status.floor.map { "its floor \(Quantity.rate.format($0))" } ?? "no floor"
            return cause("\(name) has \(floor), and nobody has bandwidth to lend: it waited \(often), and sent \(rate)", "\(set) floor RATE guarantees it more")
        case "output_full":
            let taker = status.direction == "inbound" ? "the guest does not take its frames fast enough, so that its ring was full" : "\(status.tree) takes no more, as its transmit queue was full"
            return cause("\(taker): \(name) waited \(often), and sent \(rate)", status.direction == "inbound" ? "look at the guest's own CPUs, or give its port more queues" : nil)
        default: return cause("\(name) waited \(often) (\(reason)), and sent \(rate)")
        }
    }

    // MARK: Drops

    /// - Parameters:
    ///   - passed: frames that were not dropped meanwhile.
    ///   - item: the class whose queue dropped them; nil: a port did.
    private static func drop(_ reason: String, _ count: UInt64, of passed: UInt64, _ direction: String?, _ seconds: Double, _ item: ClassStatus? = nil) -> Cause {
        // TCP takes each loss for congestion: one frame in twenty is enough to make it crawl.
        let share = Double(count) / Double(max(1, count &+ passed)), percent = (share * 1_000).rounded() / 10
        let place = item.map { "class \($0.path) of \($0.tree)" } ?? "its port"
        let meaning = meanings[reason]
        return Cause(
            reason, direction, weight: share * 20, "\(place) drops \(UInt64((Double(count) / seconds).rounded(.up))) frames a second, \(percent) %: \(meaning?.text ?? reason)", advice: meaning?.advice)
    }

    private static let meanings: [String: (text: String, advice: String?)] = [
        "queue_limit": ("its queue is full", "limit, limit-bytes or limit-delay of the class set how much may wait; more delays frames instead"),
        "codel": ("CoDel keeps its queue short", nil),
        "flood_share": ("they are flooded by a port that floods many, and other frames use its rate or fill its queue", nil),
        "buffer_share": ("it holds its share of the frame buffers", "daemon.buffers sets how many there are"),
        "buffer_full": ("all frame buffers for queues are in use", "daemon.buffers sets how many there are"),
        "no_buffer": ("no frame buffer is free", "daemon.buffers sets how many there are"),
        "filtered": ("a filter denies them", "sluice filter show counts what each rule matches"),
        "spoofed_source": ("their source address is not the guest's", "sluice guest set GUEST macs ADDRESSES names its addresses"),
        "spoofed_address": ("their IP address is not one that the port may use", nil),
        "guarded": ("only DHCP servers and routers may send them", nil),
        "fcoe_not_granted": ("their address was not granted to the guest by FIP", "the guest's adapter has to log in again; addresses of its own are not granted"),
        "vlan_not_allowed": ("the port is not in their VLAN", "sluice vlan show lists the VLANs of ports"),
        "storm_broadcast": ("they are more broadcasts than storm control lets in", nil),
        "storm_multicast": ("they are more multicasts than storm control lets in", nil),
        "storm_unknown": ("they are more frames to unknown addresses than storm control lets in", nil),
        "exceeds_mtu": ("they are longer than the output's MTU", "give both ends the same MTU"),
        "oversized": ("they are longer than the port's MTU", "give both ends the same MTU"),
        "not_taken": ("the guest has not taken them within 100 ms", "look at the guest's own CPUs"),
        "port_down": ("they are for a port that nobody is connected to", nil),
        "no_destination": ("they are to be flooded, and there is no other port", nil),
        "missed": ("the poll loop does not read the port in time", "sluice core show says how busy it is"),
        "bad_offload": ("their headers do not agree with the checksum that is to be made", nil),
        "isolated": ("both ports are isolated", nil),
        "port_locked": ("the port is locked, and their source address is not configured", nil),
    ]

    /// Reasons that say nothing about how fast a guest is, and those that its classes tell of.
    private static let silent: Set<String> = queues.union(["source_port", "reserved_address", "mac_control", "class_removed"])

    /// Reasons for which frames are dropped from queues.
    private static let queues: Set<String> = ["queue_limit", "codel", "buffer_share", "buffer_full"]

    /// Reasons that are counted where a frame would have left.
    private static let leaving: Set<String> = ["port_down", "exceeds_mtu", "no_buffer", "not_taken", "bad_offload", "no_class", "port_removed", "flood_share"]

    // MARK: Ports and poll loops

    private static func port(_ port: PortStatus, _ before: PortStatus, _ seconds: Double) -> [Cause] {
        var causes: [Cause] = []
        if port.state != .up {
            causes.append(Cause("port", weight: 1, "port \(port.name) is \(port.state.rawValue): \(port.reason ?? "it carries no frames")", advice: "sluice port show \(port.name) tells more"))
        }
        let paced = Double(port.count("pacedNanoseconds").since(before.count("pacedNanoseconds"))) / 1e9 / seconds
        if paced > 0 {
            causes.append(Cause(
                "pace", "outbound", weight: paced, "pace held back the reading of port \(port.name) for \(Int((min(1, paced) * 100).rounded())) % of the time",
                advice: "sluice port set \(port.name) pace average RATE raises it"))
        }
        let untimely = Double(port.count("pollTimeNanoseconds").since(before.count("pollTimeNanoseconds"))) / 1e9 / seconds
        if untimely > 0 {
            causes.append(Cause(
                "poll_time", "outbound", weight: untimely,
                "the poll loop has no more time: port \(port.name) had used up its share, so that its reading was held back for \(Int((min(1, untimely) * 100).rounded())) % of the time",
                advice: "sluice core balance moves queues to other CPUs; daemon.cpus gives more; floors are the weights of these shares"))
        }
        let received = port.rx.frames.since(before.rx.frames), sent = port.tx.frames.since(before.tx.frames)
        for (reason, count) in port.drops.since(before.drops) where !silent.contains(reason) {
            let leaves = leaving.contains(reason)
            // What was dropped at the entrance is among the received.
            causes.append(drop(reason, count, of: leaves ? sent : received.since(count), leaves ? "inbound" : "outbound", seconds))
        }
        return causes
    }

    private static func core(_ core: CoreStatus, _ before: CoreStatus?, _ port: String, _ seconds: Double) -> [Cause] {
        let queues = core.queues.filter { $0.port == port }
        guard !queues.isEmpty else { return [] }
        var causes: [Cause] = []
        if core.busyPercent > 90 {
            let others = Set(core.queues.map(\.port)).count - 1
            causes.append(Cause(
                "cpu", weight: (core.busyPercent - 90) / 10,
                "CPU \(core.cpu), which polls port \(port)\(others > 0 ? " and \(others) other\(others == 1 ? "" : "s")" : ""), is busy \(Int(core.busyPercent.rounded())) % of the time",
                advice: "sluice core balance moves queues to other CPUs; daemon.cpus gives more"))
        }
        let stalls = before.map { core.stalls.since($0.stalls) } ?? core.stalls
        let lost = stalls.totalMicroseconds / 1e6 / seconds
        if stalls.count > 0 {
            causes.append(Cause(
                "stalls", weight: lost * 5, "CPU \(core.cpu), which polls port \(port), was taken away \(stalls.count) times, \(Int((min(1, lost) * 100).rounded())) % of the time",
                advice: "give that CPU to nobody else (isolcpus, or sluice-prepare-host --isolate)"))
        }
        return causes
    }

    // MARK: Elsewhere

    private static func nothing(_ guest: GuestStatus, _ before: Sample, _ now: Sample, _ seconds: Double) -> Cause {
        let earlier = before.guests.first { $0.name == guest.name } ?? GuestStatus()
        func rate(_ now: Traffic, _ before: Traffic) -> String { Quantity.rate.format(rounded(UInt64(Double(now.bytes.since(before.bytes)) * 8 / seconds))) }
        let peers = "look at the guest itself and at its peers: their CPUs, the windows of their connections, and what the others' classes hold (sluice slow PEER)"
        return Cause(
            "nothing", weight: 0,
            "nothing here holds \(guest.name) back: it got \(rate(guest.inbound, earlier.inbound)) and sent \(rate(guest.outbound, earlier.outbound)), and none of its frames waited",
            advice: losses(besides: guest.port, before, now, seconds).map { "\($0). If \(guest.name) sends nothing to them, \(peers)" } ?? peers)
    }

    /// Which other ports of the same bridge lose frames that were to leave by them, those that lose most first. Nobody counts whose frames these were.
    private static func losses(besides name: String, _ before: Sample, _ now: Sample, _ seconds: Double) -> String? {
        guard let bridge = now.ports.first(where: { $0.name == name })?.bridge else { return nil }
        let lost = now.ports.filter { $0.bridge == bridge && $0.name != name }.compactMap { port -> (name: String, count: UInt64, reason: String)? in
            let earlier = before.ports.first { $0.name == port.name }?.drops ?? [:]
            let drops = port.drops.since(earlier).filter { leaving.contains($0.key) || queues.contains($0.key) }
            guard let most = drops.highest else { return nil }
            return (port.name, drops.sum, meanings[most.key]?.text ?? most.key)
        }.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
        guard let worst = lost.first else { return nil }
        func often(_ count: UInt64) -> UInt64 { UInt64((Double(count) / seconds).rounded(.up)) }
        let others = lost.dropFirst().prefix(2).map { ", port \($0.name) \(often($0.count))" }.joined()
        let owner = now.guests.first { $0.port == worst.name }.map { "sluice slow \($0.name)" } ?? "sluice port show \(worst.name)"
        return "other ports of \(bridge) lose frames on their way out: port \(worst.name) \(often(worst.count)) a second (\(worst.reason))\(others); \(owner) tells more"
    }

    /// A measured number, rounded to four digits.
    static func rounded(_ value: UInt64) -> UInt64 {
        var unit: UInt64 = 1
        while value / unit >= 10_000 { unit *= 10 }
        return value - value % unit
    }
}
