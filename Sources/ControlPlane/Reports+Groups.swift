import Configuration
import ControlAPI
import DataPlane

extension Engine {
    /// The groups that were joined behind ports, the multicast routers, and the queriers.
    func members(_ params: FDBParams) throws -> MDBReply {
        try check(params)
        var reply = MDBReply()
        for report in dataPlane.groupReports(bridge: params.bridge) {
            func vlan(_ vlan: UInt16) -> Int? { vlan == 0 ? nil : Int(vlan) }
            func isAsked(_ item: UInt16) -> Bool { params.vlan == nil || params.vlan == Int(item) }
            func seconds(_ nanoseconds: UInt64) -> Double { (Double(nanoseconds) / 1e7).rounded() / 100 }
            for item in report.memberships where isAsked(item.vlan) {
                guard let port = report.ports[item.port], params.port == nil || params.port == port else { continue }
                var entry = MDBEntry()
                (entry.bridge, entry.port, entry.vlan, entry.group) = (report.bridge, port, vlan(item.vlan), item.group.description)
                (entry.filterMode, entry.sources) = (item.excludes ? "exclude" : "include", item.sources.map(\.address.description))
                (entry.version, entry.age, entry.timeLeft) = (item.hostVersion, seconds(item.age), seconds(item.timeLeft))
                reply.entries.append(entry)
            }
            for item in report.routers where isAsked(item.vlan) {
                guard let port = report.ports[item.port], params.port == nil || params.port == port else { continue }
                var router = MDBReply.Router()
                (router.bridge, router.vlan, router.family, router.port) = (report.bridge, vlan(item.vlan), item.family.description, port)
                router.timeLeft = item.timeLeft.map(seconds)
                reply.routers.append(router)
            }
            for item in report.queriers where isAsked(item.vlan) && params.port == nil {
                var querier = MDBReply.Querier()
                (querier.bridge, querier.vlan, querier.family, querier.own) = (report.bridge, vlan(item.vlan), item.family.description, item.isOwn)
                querier.other = item.other?.address.description
                querier.port = item.other.flatMap { report.ports[$0.port] }
                querier.timeLeft = item.other.map { seconds($0.timeLeft) }
                querier.settled = item.isSettled
                reply.queriers.append(querier)
            }
        }
        return reply
    }
}
