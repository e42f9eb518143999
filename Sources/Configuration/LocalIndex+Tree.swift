extension LocalIndex {
    /// An index of one tree's classes.
    struct Tree: Sendable {
        /// The place of each class in the tree's list, by its id; -1: no class has this id.
        private var places: [Int32] = []
        /// Ids of the guests' classes by the guest's name, in the tree's order, and ids of the groups' classes by the group's name.
        private(set) var guests: [String: [UInt16]] = [:]
        private(set) var groups: [String: UInt16] = [:]
        /// The sum of the floors that stand below a class, by that class's id.
        private(set) var promises: [UInt16: Promise] = [:]
        /// The settings of `rest` as they were written, the id of the class `rest` if the tree has one, and the bytes of the largest frame on the bridge.
        let rest: RestSettings
        private(set) var restID: UInt16?
        let largestFrame: Int
        private(set) var limits: QueueLimits

        init(_ description: TreeDescription, _ rest: RestSettings, _ largestFrame: Int) {
            self.rest = rest
            self.largestFrame = largestFrame
            limits = QueueLimits(description.classes, rate: description.rate)
            restID = description.classes.first(where: \.isRest)?.id
            number(description.classes, from: 0)
            for item in description.classes {
                if let guest = item.guest { guests[guest, default: []].append(item.id) } else { groups[item.name] = item.id }
                if !item.isRemainder(below: self[item.parent, description]) { promises[item.parent, default: Promise()].add(item.settings, 1) }
            }
        }

        func place(of id: UInt16) -> Int? { Int(id) < places.count && places[Int(id)] >= 0 ? Int(places[Int(id)]) : nil }

        subscript(id: UInt16, description: TreeDescription) -> ClassDescription? { place(of: id).map { description.classes[$0] } }

        /// The lowest id, beginning with `first`, that no class of the tree has; nil: there is none.
        func freeID(from first: Int) -> UInt16? {
            var id = first
            while id < places.count, places[id] >= 0 { id += 1 }
            return ClassIDs.range.contains(UInt16(clamping: id)) && id <= Int(ClassIDs.range.upperBound) ? UInt16(id) : nil
        }

        private mutating func number(_ classes: [ClassDescription], from start: Int) {
            for place in start..<classes.count {
                let id = Int(classes[place].id)
                if id >= places.count { places += [Int32](repeating: -1, count: id + 1 - places.count) }
                places[id] = Int32(place)
            }
        }

        /// - Parameter description: the tree as it is before the change.
        mutating func adopt(_ edit: LocalChange.TreeEdit, _ description: TreeDescription) {
            let (old, new) = description.concerned(by: edit)
            for item in old where !item.isRemainder(below: self[item.parent, description]) { promises[item.parent]?.add(item.settings, -1) }
            let parents = Dictionary(new.map { ($0.id, $0) }) { first, _ in first }
            for item in new where !item.isRemainder(below: parents[item.parent] ?? self[item.parent, description]) {
                promises[item.parent, default: Promise()].add(item.settings, 1)
            }
            limits.adopt(old, new)
            for item in old where parents[item.id] == nil { promises[item.id] = nil }
            for splice in edit.splices {
                for item in description.classes[splice.place..<splice.place + splice.count] {
                    places[Int(item.id)] = -1
                    if let guest = item.guest { guests[guest] = nil }
                }
            }
            for item in edit.splices.lazy.flatMap(\.classes) { if let guest = item.guest { guests[guest, default: []].append(item.id) } }
        }

        /// - Parameter description: the tree as it is after the change.
        mutating func renumber(after edit: LocalChange.TreeEdit, _ description: TreeDescription) {
            if let first = edit.splices.first { number(description.classes, from: first.place) }
        }
    }

    /// Sums of floors. They may exceed 64 bits.
    struct Promise: Sendable {
        var floor: Int128 = 0
        var packets: Int128 = 0

        mutating func add(_ settings: ClassParameters, _ sign: Int128) {
            floor += sign * Int128(settings.floor)
            packets += sign * Int128(settings.floorPackets)
        }
    }
}
