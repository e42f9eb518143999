import Configuration
import Packet

/// libvirt's `<vlan>` element (conf/netdev_vlan_conf.c).
public struct LibvirtVLAN: Equatable, Sendable {
    /// The VIDs, 1 to 4094; at least one.
    public var tags: [Int]
    public var isTrunk: Bool
    /// The VID of the VLAN to which untagged frames belong; nil if there is none.
    public var native: Int?

    public init(tags: [Int], isTrunk: Bool, native: Int? = nil) { self.tags = tags; self.isTrunk = isTrunk; self.native = native }

    /// Reads the element. If it is not valid, or says what Sluice cannot do, that is added to `problems` and the result is nil.
    init?(_ element: XMLTree, _ path: String, _ problems: inout ProblemList) {
        var sound = true
        func refuse(_ sentence: String, _ line: Int) {
            problems.add(Problem(path + ".vlan", sentence, line: line))
            sound = false
        }
        var tags: [Int] = [], native: Int?
        let all = element.all("tag")
        if all.isEmpty { refuse("a <vlan> has at least one <tag id='...'/>: write one", element.line) }
        for tag in all {
            let text = tag.attributes["id"] ?? ""
            guard let id = Int(text), VLANSet.identifiers.contains(id) else {
                refuse("'\(text)' is no VLAN: write id='...' with a number from 1 to 4094", tag.line)
                continue
            }
            tags.append(id)
            switch tag.attributes["nativeMode"] {
            case nil: break
            case "untagged"?:
                if native != nil { refuse("nativeMode stands at two tags, and one VLAN is that of frames without a tag: take one away", tag.line) }
                native = id
            case "tagged"?:
                refuse(
                    "with nativeMode='tagged' frames of VLAN \(id) leave with a tag and may come in without: here they have none"
                        + " either way, write nativeMode='untagged'",
                    tag.line)
            case let mode?: refuse("nativeMode='\(mode)' is neither tagged nor untagged: write nativeMode='untagged'", tag.line)
            }
        }
        var isTrunk = all.count > 1 || native != nil
        switch element.attributes["trunk"]?.lowercased() {
        case nil: break
        case "yes"?: isTrunk = true
        case "no"?:
            if all.count > 1 { refuse("with trunk='no' there is one <tag>, and these are \(all.count): write trunk='yes'", element.line) }
            if native != nil { refuse("a native VLAN is a trunk's: write trunk='yes'", element.line) }
        case let word?: refuse("trunk='\(word)' is neither yes nor no: write one of them", element.line)
        }
        guard sound else { return nil }
        self.init(tags: tags, isTrunk: isTrunk, native: native)
    }

    public var portVLAN: PortVLAN { isTrunk ? .trunk(VLANSet(tags), native: native) : .access(tags[0]) }
}
