import ControlAPI

extension Tables {
    /// The groups in the manner of `bridge -d mdb show`: members, then routers, then queriers.
    package static func members(_ reply: MDBReply) -> String {
        func vlan(_ id: Int?) -> String { id.map { " vid \($0)" } ?? "" }
        func rounded(_ seconds: Double) -> String { "\(Int(seconds.rounded()))s" }
        var lines = reply.entries.map { entry in
            var line = "dev \(entry.bridge) port \(entry.port) grp \(entry.group)\(vlan(entry.vlan)) temp \(rounded(entry.timeLeft))"
            if !entry.sources.isEmpty { line += " filter_mode \(entry.filterMode) source_list \(entry.sources.joined(separator: ","))" }
            return line
        }
        lines += reply.routers.map { router in
            "router on \(router.bridge) port \(router.port)\(vlan(router.vlan)) \(router.family) \(router.timeLeft.map { "temp " + rounded($0) } ?? "permanent")"
        }
        lines += reply.queriers.map { querier in
            let who = [querier.own ? "itself" : nil, querier.other.map { "\($0) port \(querier.port ?? "gone") \(querier.timeLeft.map(rounded) ?? "")" }].compactMap { $0 }
            return "querier on \(querier.bridge)\(vlan(querier.vlan)) \(querier.family) \(who.isEmpty ? "none" : who.joined(separator: ", "))"
                + (querier.settled ? "" : ": groups go to every port for now")
        }
        return lines.isEmpty ? "no bridge follows groups: sluice bridge set br0 mcast-snooping on" : lines.joined(separator: "\n")
    }
}
