import ControlAPI

extension Tables {
    /// The neighbours of each port, a paragraph for each port.
    package static func lldp(_ all: [LLDPStatus]) -> String {
        let parts = all.map { status in
            var lines = ["\(status.port): lldp \(status.mode), link \(status.up ? "up" : "down")"]
            for neighbor in status.neighbors {
                lines.append("  neighbor \(neighbor.rid): \(neighbor.chassis.name ?? neighbor.chassis.id.value) port \(neighbor.port.id.value)")
                lines.append("    chassis \(neighbor.chassis.id.type) \(neighbor.chassis.id.value), port \(neighbor.port.id.type) \(neighbor.port.id.value)")
                if let text = neighbor.port.description { lines.append("    port description: \(text)") }
                if let text = neighbor.chassis.description { lines.append("    system: \(text)") }
                let addresses = neighbor.chassis.managementAddresses
                if !addresses.isEmpty { lines.append("    management: \(addresses.joined(separator: ", "))") }
                if !neighbor.chassis.capabilities.isEmpty {
                    lines.append("    capabilities: " + neighbor.chassis.capabilities.map { $0.type + ($0.enabled ? " on" : " off") }.joined(separator: ", "))
                }
                for other in neighbor.otherTLVs {
                    let whose = other.oui.map { "oui \($0) subtype \(other.subtype ?? 0)" } ?? "type \(other.type)"
                    lines.append("    tlv \(whose): \(other.value)")
                }
                lines.append("    heard for \(Int(neighbor.age))s, valid for \(Int(neighbor.timeLeft))s of \(neighbor.port.timeToLive)s")
            }
            if status.neighbors.isEmpty { lines.append("  no neighbor" + (status.mode == "off" || status.mode == "tx" ? ": the port does not listen" : "")) }
            if status.tooManyNeighbors { lines.append("  there are more neighbors than are kept") }
            let counters = status.counters
            lines.append(
                "  frames: \(counters.framesOut) out, \(counters.framesIn) in, \(counters.framesDiscarded) discarded, \(counters.framesInErrors) wrong")
            lines.append("  TLVs: \(counters.tlvsDiscarded) discarded, \(counters.tlvsUnrecognized) unrecognized; frames too long for all TLVs: \(counters.lengthErrors)")
            lines.append("  neighbors: \(counters.neighborsInserted) came, \(counters.neighborsDeleted) went, \(counters.ageouts) of them aged out")
            return lines.joined(separator: "\n")
        }
        return parts.isEmpty ? "no port with LLDP is open" : parts.joined(separator: "\n")
    }

    /// What each port negotiates: a line for each feature and side.
    ///
    /// - Parameter feature: the one feature to be shown: `ets`, `pfc`, `app` or `buffer`; nil: all.
    package static func dcb(_ all: [DCBStatus], only feature: String? = nil) -> String {
        func numbers(_ list: [Int]) -> String { list.map(String.init).joined(separator: ",") }
        func willing(_ flag: Bool?) -> String { flag.map { "willing \($0 ? "on" : "off") " } ?? "" }
        func sharing(_ side: DCBStatus.Sharing) -> String {
            "\(willing(side.willing))tc-tsa \(side.tcTsa.joined(separator: ",")) tc-bw \(numbers(side.tcBw)) prio-tc \(numbers(side.prioTc))"
        }
        func lossless(_ side: DCBStatus.Lossless) -> String {
            "\(willing(side.willing))prio-pfc \(side.prioPfc.isEmpty ? "none" : numbers(side.prioPfc)) of \(side.capability) at once"
        }
        func pauses(_ received: DCBStatus.Pauses) -> String {
            let each = received.pauses.indices.filter { received.pauses[$0] != 0 }.map { priority in
                let storms = received.storms[priority] == 0 ? "" : ", storms \(received.storms[priority])"
                return "priority \(priority): \(received.pauses[priority]) for \(received.pausedNanoseconds[priority] / 1_000) us in all\(storms)"
            }
            let storming = received.storming.isEmpty ? [] : ["pauses of \(numbers(received.storming)) are ignored, as they last too long"]
            return (["\(received.frames) frames, \(received.ignored) ignored"] + each + storming).joined(separator: "; ")
        }
        func requests(_ sent: DCBStatus.Requests) -> String {
            let each = sent.pauses.indices.filter { sent.pauses[$0] != 0 }.map { priority in
                "priority \(priority): \(sent.pauses[priority]) for \(sent.pausedNanoseconds[priority] / 1_000) us in all"
            }
            let now = sent.pausing.isEmpty ? [] : ["\(numbers(sent.pausing)) now"], givenUp = sent.givenUp == 0 ? [] : ["given up \(sent.givenUp) times for a queue that stood still"]
            return (["\(sent.frames) frames"] + each + now + givenUp).joined(separator: "; ")
        }
        func buffer(_ buffer: DCBStatus.Buffer) -> String {
            "priority \(buffer.priority) size \(buffer.size) headroom \(buffer.headroom) xoff \(buffer.xoff) xon \(buffer.xon)"
        }
        func text(_ entry: DCBStatus.Entry) -> String {
            let isType = entry.selector == "ethtype"
            if isType, entry.id == 0 { return "default-prio \(entry.priority)" }
            return "\(entry.selector)-prio \(isType ? "0x" + String(entry.id, radix: 16) : "\(entry.id)"):\(entry.priority)"
        }
        func entries(_ list: [DCBStatus.Entry]) -> String? { list.isEmpty ? nil : list.map(text).joined(separator: " ") }
        let parts = all.map { status in
            var lines = ["\(status.port): " + (status.peer.map { "peer \($0)" } ?? "no DCBX peer")]
            if let problem = status.problem { lines.append("  \(problem)") }
            if status.errors > 0 { lines.append("  \(status.errors) TLVs of the peer are wrong and not used") }
            func add(_ name: String, _ text: String?) { if let text, feature == nil || name.hasPrefix(feature ?? "") { lines.append("  \(name): \(text)") } }
            add("ets wanted", status.ets.administrative.map(sharing))
            func inUse(_ feature: String, _ who: String?) -> String { "\(feature) in use" + (who.map { " (\($0))" } ?? "") }
            add(inUse("ets", status.ets.by), status.ets.operational.map(sharing))
            add("ets of the peer", status.ets.remote.map(sharing))
            add("ets recommended to the peer", status.ets.recommended.map(sharing))
            add("ets recommended by the peer", status.ets.remoteRecommended.map(sharing))
            add("ets sent", status.ets.sent.map { list in
                list.enumerated().filter { $1.frames != 0 }.map { "tc \($0) \($1.bytes) bytes in \($1.frames) frames" }.joined(separator: ", ")
            })
            add("pfc wanted", status.pfc.administrative.map(lossless))
            add(inUse("pfc", status.pfc.by), status.pfc.operational.map(lossless))
            add("pfc of the peer", status.pfc.remote.map(lossless))
            add("pfc received", status.pfc.received.map(pauses))
            add("pfc", status.pfc.received?.problem)
            add("pfc sent", status.pfc.sent.map(requests))
            for item in status.buffers { add("buffer", buffer(item)) }
            if status.app.willing { add("app", "willing on") }
            add("app wanted", entries(status.app.administrative))
            add("app in use", entries(status.app.operational))
            add("app of the peer", entries(status.app.remote))
            let priorities = status.priorities.map { list in list.map { "\($0.protocol) \($0.pcp)" }.joined(separator: ", ") }
            if feature == nil || feature == "app" { lines.append("  priorities: " + (priorities ?? "frames leave without (dcb off)")) }
            return lines.joined(separator: "\n")
        }
        return parts.isEmpty ? "no physical port is open" : parts.joined(separator: "\n")
    }
}
