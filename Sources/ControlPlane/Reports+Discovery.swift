import Configuration
import ControlAPI
import DataPlane
import DCB
import LinkProtocols

extension Engine {
    /// What ports and their neighbours tell each other by LLDP.
    func lldp(_ name: String?) throws -> [LLDPStatus] {
        try discovery(name, "port with LLDP") { $0.isPhysical || $0.lldpInUse != .off }.map { report in
            let agent = report.link.agent
            var status = LLDPStatus()
            (status.port, status.mode, status.up) = (report.port, report.mode.rawValue, agent.isUp)
            status.tooManyNeighbors = agent.hasTooManyNeighbours
            status.neighbors = agent.neighbours.map { Self.neighbor($0, now: report.now) }
            let counters = agent.counters
            (status.counters.framesOut, status.counters.framesIn) = (counters.framesOut, counters.framesIn)
            (status.counters.framesDiscarded, status.counters.framesInErrors) = (counters.framesDiscarded, counters.framesInErrors)
            (status.counters.tlvsDiscarded, status.counters.tlvsUnrecognized) = (counters.tlvsDiscarded, counters.tlvsUnrecognized)
            (status.counters.ageouts, status.counters.lengthErrors) = (counters.ageouts, counters.lengthErrors)
            (status.counters.neighborsInserted, status.counters.neighborsDeleted) = (counters.inserted, counters.deleted)
            return status
        }
    }

    /// What physical ports negotiate by DCBX.
    func dcb(_ name: String?) throws -> [DCBStatus] {
        try discovery(name, "physical port", \.isPhysical).map { report in
            let dcbx = report.link.dcbx, own = dcbx.settings.parameters, used = dcbx.operational, theirs = dcbx.remote
            var status = DCBStatus()
            status.port = report.port
            switch dcbx.peer {
            case .none where dcbx.hearsPreStandard:
                status.problem = "a neighbour speaks DCBX as it was before IEEE 802.1Qaz (CIN or CEE), which is not followed: set it to IEEE"
            case .none: break
            case .one(let mac): status.peer = mac.description
            case .several: status.problem = "several neighbours speak DCBX, and none of them is followed: see that the port leads to one switch"
            }
            status.errors = dcbx.errors
            status.ets.administrative = own.ets.map(DCBStatus.Sharing.init)
            status.ets.operational = used.ets.map(DCBStatus.Sharing.init)
            status.ets.remote = theirs.ets.map(DCBStatus.Sharing.init)
            status.ets.recommended = own.recommendation.map { DCBStatus.Sharing($0) }
            status.ets.remoteRecommended = theirs.recommendation.map { DCBStatus.Sharing($0) }
            status.pfc.administrative = own.pfc.map(DCBStatus.Lossless.init)
            status.pfc.operational = used.pfc.map(DCBStatus.Lossless.init)
            status.pfc.remote = theirs.pfc.map(DCBStatus.Lossless.init)
            if let pauses = report.pauses {
                // DPDK has no way to give a NIC percentages or algorithms, and a NIC pauses whole queues: all of it is done here.
                if !pauses.sent.isEmpty {
                    status.ets.by = "sw"
                    status.ets.sent = pauses.sent.map { DCBStatus.Amount(frames: $0.frames, bytes: $0.bytes) }
                }
                if pauses.frames != nil || pauses.lossless != 0 { status.pfc.by = "sw" }
                status.pfc.received = pauses.frames.map { DCBStatus.Pauses(pauses.received, $0) }
                status.pfc.sent = pauses.lossless == 0 ? nil : DCBStatus.Requests(pauses.requested, givenUp: pauses.givenUp)
                status.buffers = (0..<8).filter { pauses.lossless & 1 << UInt8($0) != 0 }.map { DCBStatus.Buffer(pauses.buffers[$0], priority: $0) }
            }
            status.app.willing = dcbx.settings.takesApplications
            status.app.administrative = (own.applications ?? []).map(DCBStatus.Entry.init)
            status.app.operational = (used.applications ?? []).map(DCBStatus.Entry.init)
            status.app.remote = (theirs.applications ?? []).map(DCBStatus.Entry.init)
            if report.tags { status.priorities = report.priorities.map { DCBStatus.Priority(protocol: $0.name, pcp: $0.pcp) } }
            return status
        }
    }

    /// The reports of all ports of a kind that are open, or of the one with that name.
    private func discovery(_ name: String?, _ kind: String, _ isMeant: (PortSettings) -> Bool) throws -> [DataPlane.DiscoveryReport] {
        let ports = try select(dataPlane.model.ports.filter(isMeant), name, \.name, kind).map(\.name)
        return dataPlane.discoveryReports().filter { ports.contains($0.port) }
    }

    private static func neighbor(_ neighbour: LLDPNeighbour, now: UInt64) -> LLDPStatus.Neighbor {
        func seconds(_ start: UInt64, _ end: UInt64) -> Double { end > start ? (Double(end - start) / 1e7).rounded() / 100 : 0 }
        let pdu = neighbour.pdu
        var result = LLDPStatus.Neighbor()
        (result.rid, result.mac) = (neighbour.number, neighbour.mac.description)
        (result.age, result.timeLeft) = (seconds(neighbour.since, now), seconds(now, neighbour.until))
        let (chassis, port) = (pdu.source.chassisText, pdu.source.portText)
        result.chassis.id = .init(type: chassis.type, value: chassis.value)
        (result.chassis.name, result.chassis.description) = (pdu.systemName, pdu.systemDescription)
        result.chassis.managementAddresses = pdu.managementAddresses.map(\.address.description)
        result.chassis.capabilities = pdu.capabilities?.named.map { .init(type: $0.name, enabled: $0.isEnabled) } ?? []
        result.port.id = .init(type: port.type, value: port.value)
        (result.port.description, result.port.timeToLive) = (pdu.portDescription, Int(pdu.timeToLive))
        result.otherTLVs = pdu.organizational.map { item in
            var other = LLDPStatus.Other()
            (other.type, other.subtype, other.value) = (127, Int(item.kind.subtype), hexadecimal(item.value))
            other.oui = hexadecimal([UInt8(item.kind.oui >> 16 & 0xff), UInt8(item.kind.oui >> 8 & 0xff), UInt8(item.kind.oui & 0xff)])
            return other
        } + pdu.reserved.map { tlv in
            var other = LLDPStatus.Other()
            (other.type, other.value) = (Int(tlv.type), hexadecimal(tlv.value))
            return other
        }
        return result
    }
}

extension DCBStatus.Sharing {
    fileprivate init(_ feature: ETSFeature) {
        self.init(feature.parameters)
        willing = feature.isWilling
    }

    fileprivate init(_ parameters: ETSParameters) {
        self.init()
        (prioTc, tcBw) = (parameters.classes.map(Int.init), parameters.bandwidths.map(Int.init))
        tcTsa = parameters.algorithms.map {
            switch $0 {
            case .strict: "strict"
            case .creditBased: "cbs"
            case .ets: "ets"
            case .vendor: "vendor"
            }
        }
    }
}

extension DCBStatus.Pauses {
    fileprivate init(_ received: PauseReceiver, _ arrival: PauseFrames) {
        self.init()
        func list(_ values: SIMD8<UInt64>) -> [UInt64] { (0..<8).map { values[$0] } }
        (frames, ignored) = (received.frames, received.ignored)
        (pauses, pausedNanoseconds, storms) = (list(received.pauses), list(received.pausedTime), list(received.storms))
        storming = (0..<8).filter { received.storming & 1 << UInt8($0) != 0 }
        if case .kept(let driver) = arrival { problem = "the driver \(driver) keeps pause frames from the switch, so those of the peer are not followed" }
    }
}

extension DCBStatus.Requests {
    fileprivate init(_ sent: PauseSender, givenUp: UInt64) {
        self.init()
        (frames, self.givenUp) = (sent.frames, givenUp)
        (pauses, pausedNanoseconds) = ((0..<8).map { sent.pauses[$0] }, (0..<8).map { sent.pausedTime[$0] })
        pausing = (0..<8).filter { sent.asked & 1 << UInt8($0) != 0 }
    }
}

extension DCBStatus.Buffer {
    fileprivate init(_ buffer: LosslessBuffer, priority: Int) {
        self.init()
        (self.priority, size, headroom, xoff, xon) = (priority, buffer.size, buffer.headroom, buffer.xoff, buffer.xon)
    }
}

extension DCBStatus.Lossless {
    fileprivate init(_ feature: PFCFeature) {
        self.init()
        (willing, capability, prioPfc) = (feature.isWilling, Int(feature.capability), (0..<8).filter { feature.enabled & 1 << UInt8($0) != 0 })
    }
}

extension DCBStatus.Entry {
    fileprivate init(_ entry: ApplicationPriority) {
        let selector =
            switch entry.selector {
            case .etherType: "ethtype"
            case .stream: "stream-port"
            case .datagram: "dgram-port"
            case .anyPort: "port"
            case .dscp: "dscp"
            }
        self.init(selector: selector, id: Int(entry.identifier), priority: Int(entry.priority))
    }
}
