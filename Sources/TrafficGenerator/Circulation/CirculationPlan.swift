/// Who fills and drains the rings of vhost-user ports through which frames circulate.
public enum RingKind: String, CaseIterable, Sendable {
    /// The generator itself, which costs it the least.
    case own
    /// DPDK's virtio_user, with a buffer of DPDK's for each frame.
    case virtioUser = "virtio-user"
}

/// How long circulating frames are measured, and which results count. Times are in nanoseconds.
public struct CirculationPlan: Equatable, Sendable {
    /// The time of each turn of a switch in which frames are counted.
    public var slice: UInt64 = 150_000_000
    /// The time before that, in which caches fill and poll loops wake up.
    public var warmUp: UInt64 = 20_000_000
    /// How many slices of each switch are measured. One slice of each switch, measured one after the other, forms a set.
    public var sets = 60
    /// How many sets are run before these without being counted, so that switches learn the flows.
    public var settle = 3
    /// How many frames are on their way in each direction.
    public var window = 256
    /// The same for single switches, by their names, for switches that hold frames back: as many frames must be on their way as stand in their queues.
    public var windows: [String: Int] = [:]
    /// Shell commands for switches, by the switches' names. The command runs before each of the switch's slices except the very first one, while the switch
    /// runs. The variable RATE is set to the frames per second of the previous slice, whichever switch that was of.
    public var commands: [String: String] = [:]
    /// Who fills and drains the rings of vhost-user ports.
    public var rings = RingKind.virtioUser
    /// If others had a CPU of the switch or the generator for more than this share of a slice, the slice is measured again.
    public var mostDisturbed = 0.02
    /// How many times a slice is measured at most; the least disturbed measurement counts.
    static let attempts = 3
    public init() {}

    func window(of name: String) -> Int { windows[name] ?? window }

    /// Reads `256`, for all switches, or `NAME=2048`, for one.
    public mutating func setWindow(_ text: String) throws(ScenarioError) {
        let words = text.split(separator: "=", omittingEmptySubsequences: false)
        guard words.count <= 2, let last = words.last, let frames = Int(last), words[0] != "" else {
            throw ScenarioError("--window is `\(text)`; write a number of frames (256), or one of a switch (sluice=2048)")
        }
        if words.count == 1 { window = frames } else { windows[String(words[0])] = frames }
    }

    /// Reads `NAME=COMMAND`.
    public mutating func setCommand(_ text: String) throws(ScenarioError) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex, text.index(after: equals) != text.endIndex else {
            throw ScenarioError("--before is `\(text)`; write a switch's name and a command (sluice='echo $RATE')")
        }
        commands[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }

    /// The nanoseconds in a text such as `150ms`; nil if it has no unit.
    public static func nanoseconds(_ text: String) -> UInt64? { Quantity.nanoseconds(text) }

    /// Checks that all values are within their ranges.
    /// - Throws: a sentence that names the range.
    public func check() throws(ScenarioError) {
        guard (10_000_000...10_000_000_000).contains(slice) else { throw ScenarioError("a slice must last from 10ms to 10s") }
        guard warmUp <= 10_000_000_000 else { throw ScenarioError("the warm-up must be at most 10s") }
        guard (1...100_000).contains(sets) else { throw ScenarioError("there must be 1 to 100000 slices") }
        guard (0...1_000).contains(settle) else { throw ScenarioError("there may be 0 to 1000 sets to settle") }
        guard ([window] + windows.values).allSatisfy((1...16_384).contains) else { throw ScenarioError("the window must be 1 to 16384 frames") }
    }
}

/// A switch through which frames circulate: its processes, and its sockets in the order of the scenario's ports.
public struct CirculatedSwitch: Equatable, Sendable {
    public var name: String
    /// The switch's processes, all of which are stopped while another switch has its turn.
    public var processes: [Int32]
    public var sockets: [String]

    public init(name: String, processes: [Int32], sockets: [String]) {
        self.name = name
        self.processes = processes
        self.sockets = sockets
    }

    static let accepted = "NAME=PID[+PID]:SOCKET,SOCKET (sluice=4711:/run/vm1.sock,/run/vm2.sock)"

    /// Reads `NAME=PID[+PID]:SOCKET,SOCKET`.
    public init(_ text: String) throws(ScenarioError) {
        let refusal = ScenarioError("`\(text)` is no switch; write \(Self.accepted)")
        guard let equals = text.firstIndex(of: "="), let colon = text[equals...].firstIndex(of: ":") else { throw refusal }
        name = String(text[..<equals])
        let numbers = text[text.index(after: equals)..<colon].split(separator: "+", omittingEmptySubsequences: false)
        processes = numbers.compactMap { Int32($0) }
        sockets = text[text.index(after: colon)...].split(separator: ",").map(String.init)
        guard !name.isEmpty, processes.count == numbers.count, !sockets.isEmpty else { throw refusal }
        guard processes.allSatisfy({ $0 > 1 }) else { throw ScenarioError("switch \(name): \(processes.min() ?? 0) is no process of a switch") }
    }
}

extension Scenario {
    /// Checks that frames can circulate in the scenario: every frame that a port receives is sent again to the port that it came from.
    public func checkCirculation(_ switches: [CirculatedSwitch]) throws(ScenarioError) {
        guard !flows.isEmpty else { throw ScenarioError("no flow says what circulates; the scenario needs `flows:`") }
        guard steps.isEmpty, expectations.isEmpty else { throw ScenarioError("frames that circulate take no `steps` and no `expect`") }
        let mixed = ScenarioError("of flows that circulate either all have the same `segment`, or none has one")
        guard flows.allSatisfy({ $0.segment == flows[0].segment }) else { throw mixed }
        for port in ports where port.queues != 1 { throw ScenarioError("port \(port.name) has \(port.queues) queues; frames circulate over one") }
        try checkLanes()
        var seen: Set<String> = []
        for one in switches {
            guard seen.insert(one.name).inserted else { throw ScenarioError("two switches are called \(one.name)") }
            guard one.sockets.count == ports.count else {
                throw ScenarioError("switch \(one.name) has \(one.sockets.count) sockets; the scenario has \(ports.count) ports, each needs one")
            }
        }
        let all = max(1, switches.count) * ports.count
        guard all <= 32 else { throw ScenarioError("\(switches.count) switches of \(ports.count) ports are \(all); one process plays at most 32") }
    }

    private func checkLanes() throws(ScenarioError) {
        var from: [Int: Int] = [:], to: [Int: Int] = [:]
        for flow in TemplateStore.ordered(self) {
            let plan = flow.plan, name = "flow \(plan.name)"
            guard plan.kind == .udp || plan.kind == .tcp, !plan.ipv6 else { throw ScenarioError("\(name): udp and tcp over IPv4 circulate, nothing else") }
            guard plan.rate == .maximum, plan.start == 0, plan.stop == nil else {
                throw ScenarioError("\(name): frames circulate as fast as a switch passes them; leave out `rate`, `start` and `stop`")
            }
            guard let destination = flow.destination, destination != flow.source, !flow.target.isMulticast else {
                throw ScenarioError("\(name) goes to no one other port; name it in `to`, or with `at`")
            }
            guard from[flow.source] ?? destination == destination, to[destination] ?? flow.source == flow.source else {
                throw ScenarioError("\(name): a port that circulates frames sends to one other port and receives from one")
            }
            from[flow.source] = destination
            to[destination] = flow.source
            if let first = flows.first(where: { $0.from == plan.from }), first.sizes != plan.sizes || first.vlan != plan.vlan || first.vlans != plan.vlans || first.pcp != plan.pcp {
                throw ScenarioError("\(name): all flows from one port have the same `size` and tag; \(first.name) has others")
            }
        }
    }
}
