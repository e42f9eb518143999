import ControlAPI
import DataPlane
import LinkProtocols
import Packet

extension Engine {
    /// The addresses of Fibre Channel that nodes have.
    func grants(_ params: FDBParams) throws -> [FIPGrantStatus] {
        try check(params)
        return try dataPlane.fipReports(bridge: params.bridge)
            .filter { (params.port == nil || $0.port == params.port) && (params.vlan == nil || $0.vlan == params.vlan) }.map(FIPGrantStatus.init)
    }
}

extension FIPGrantStatus {
    init(_ report: FIPGrantReport) {
        self.init()
        (bridge, port, guest, vlan) = (report.bridge, report.port, report.guest, report.vlan)
        (address, node, fcf) = (report.address.description, report.node.description, report.forwarder?.description)
        func seconds(_ nanoseconds: UInt64) -> Double { (Double(nanoseconds) / 1e7).rounded() / 100 }
        (age, timeLeft) = (seconds(report.age), seconds(report.timeLeft))
    }
}

extension Explanation.Snooping {
    /// - Parameter port: the port that the frame comes in by.
    init(_ verdict: FIPVerdict, _ address: MACAddress?, _ grant: FIPGrantReport?, from port: String) {
        self.init()
        (self.verdict, self.address, self.grant) = (verdict.name, address?.description, grant.map(FIPGrantStatus.init))
        let whose = address.map(\.description) ?? "the address"
        let source = grant.map { $0.forwarder.map { "forwarder \($0) has granted \(whose)" } ?? "\(whose) was claimed" } ?? ""
        func since(_ report: FIPGrantReport) -> String { " \(report.age / 1_000_000_000)s ago" }
        sentence = switch verdict {
        case .isOther, .passes: "it may pass, and changes nothing"
        case .asks: "it may pass, and the forwarder's answer decides about the address"
        case .claims: "it may pass, and \(whose) is the node's from now on"
        case .grants: "it may pass, and grants \(whose) to port \(grant?.port ?? "?")"
        case .ends: "it may pass, and addresses end by it"
        case .renews: "it may pass, and renews \(address.map(\.description) ?? "addresses")"
        case .isGranted: "it may pass: \(source)\(grant.map(since) ?? "")"
        case .notGranted:
            grant.map { $0.port == port ? "it speaks for an address that the port does not have" : "\(whose) is port \($0.port)'s: \(source)\(since($0))" }
                ?? "\(whose) is nobody's: a guest has it once a forwarder has granted it by FIP or, as 0e:fd:00, once the guest has claimed it"
        case .isTaken: "\(whose) is port \(grant?.port ?? "?")'s, which has claimed it\(grant.map(since) ?? "")"
        case .cannotBeClaimed: "a node claims one address, below 0e:fd:00, from its own address or from that one"
        case .hasNoRoom: "the port has \(FIPSnooper.mostOfPort) addresses, or its bridge has no room for another"
        case .isForwarders: "only forwarders say this, and a guest is none: they are behind physical ports"
        case .isUnknown: "no node says this"
        case .isMalformed: "it ends too early, or contradicts itself"
        case .isFromElsewhere: "FCoE comes from an address that FIP has granted, and \(whose) is the guest's own"
        case .isForElsewhere: "it is for somebody else: with a forwarder, a node sends to that alone, and without one to other nodes' addresses below 0e:fd:00"
        case .isAnotherProtocol: "from an address of Fibre Channel come FCoE and FIP alone"
        case .cannotBeJudged: "the grants are being changed all the time: try again"
        }
    }
}
