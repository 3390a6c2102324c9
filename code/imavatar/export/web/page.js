// Shows an avatar's glTF file and moves it: clips, morph targets, joints with their pose correctives.
import { GLTFLoader, OrbitControls, THREE } from "three-bundle";

const byId = (id) => document.getElementById(id);
const JOINTS = ["neck", "jaw", "left_eye", "right_eye"];
const CORRECTIVE = /^(neck|jaw|left_eye|right_eye)_[0-2][0-2]$/;
const COEFFICIENT = /^expression_\d+$/;
// What the joints' sliders do exactly, these targets do only nearly.
const JOINT_UNIT = /^(jaw(Open|Left|Right)|eyeLook)/;
const NO_CLIP = "none";
// Sliders of joints (joint, axis and factor of each turn; radians at the ends), and how many coefficients have one.
const CONTROLS = JSON.parse(byId("sliders").dataset.controls);

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

/** A slider in `parent`; `change` is called with its value. */
function addSlider(parent, name, low, high, change) {
  const row = document.createElement("label"), input = document.createElement("input");
  const label = document.createElement("span"), shown = document.createElement("output");
  row.className = "slider";
  label.textContent = label.title = name;
  Object.assign(input, { type: "range", min: low, max: high, step: (high - low) / 200, value: 0 });
  input.dataset.name = name;
  const update = () => { const value = Number(input.value); shown.value = (Math.round(100 * value) / 100 + 0).toFixed(2); change(value); };
  input.addEventListener("input", update);
  row.append(label, input, shown);
  parent.append(row);
  update();
  return () => { input.value = 0; update(); };
}

/** A group of sliders that can be folded away. */
function addGroup(name, open) {
  const group = document.createElement("details"), title = document.createElement("summary");
  title.textContent = name;
  group.open = open;
  group.append(title);
  byId("sliders").append(group);
  return group;
}

/** An attribute's vectors one after the other, however they are stored. */
function numbersOf(attribute) {
  const numbers = new Float32Array(3 * attribute.count);
  for (let k = 0; k < attribute.count; k++) {
    numbers[3 * k] = attribute.getX(k);
    numbers[3 * k + 1] = attribute.getY(k);
    numbers[3 * k + 2] = attribute.getZ(k);
  }
  return numbers;
}

/**
 * The morph targets of a mesh, added up here instead of in its shader: that costs the same on every machine, also
 * where the graphics are computed by the processor, and nothing where no amount changes.
 */
class Morphs {
  constructor(mesh) {
    const geometry = mesh.geometry;
    this.position = geometry.attributes.position;
    this.base = this.position.array.slice();
    this.offsets = (geometry.morphAttributes.position ?? []).map(numbersOf);
    this.shown = this.offsets.map(() => 0);
    this.amounts = [...(mesh.morphTargetInfluences ?? [])];
    geometry.morphAttributes = {};
    mesh.morphTargetInfluences = undefined;
  }

  /** Move the vertices to where the amounts say. */
  apply() {
    if (this.amounts.every((amount, k) => amount === this.shown[k])) return;
    this.shown = [...this.amounts];
    const moved = this.position.array;
    moved.set(this.base);
    this.offsets.forEach((offsets, k) => {
      const amount = this.amounts[k];
      if (amount !== 0) for (let i = 0; i < moved.length; i++) moved[i] += amount * offsets[i];
    });
    this.position.needsUpdate = true;
  }
}

/** Whether the processor computes the graphics: then every pixel counts. */
function drawsInSoftware() {
  const context = document.createElement("canvas").getContext("webgl2");
  const facts = context?.getExtension("WEBGL_debug_renderer_info");
  const name = facts ? context.getParameter(facts.UNMASKED_RENDERER_WEBGL) : "";
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}

class Avatar {
  constructor(file) {
    this.scene = file.scene;
    this.clips = file.animations;
    this.bones = {};
    this.meshes = [];
    file.scene.traverse((node) => {
      if (node.isSkinnedMesh) this.meshes.push(node);
      if (node.isBone && JOINTS.includes(node.name)) this.bones[node.name] = node;
    });
    // What a posed mesh reaches is not what three.js takes for its bounds.
    for (const mesh of this.meshes) mesh.frustumCulled = false;
    this.targets = this.meshes[0].morphTargetDictionary ?? {};
    this.morphs = this.meshes.map((mesh) => new Morphs(mesh));
    // What the file shows without a clip: the person at rest.
    this.rest = [...this.morphs[0].amounts];
    this.restPose = [];
    file.scene.traverse((node) => this.restPose.push([node, node.position.clone(), node.quaternion.clone()]));
    this.amounts = {};
    this.turns = {};
    this.duration = 0;
    this.tracks = [];
  }

  targetNames() { return Object.keys(this.targets); }

  /** The clip of a name from now on; no clip where there is none of it. */
  choose(name) {
    const clip = this.clips.find((c) => c.name === name);
    this.duration = clip?.duration ?? 0;
    this.tracks = (clip?.tracks ?? []).map((track) => {
      const { nodeName, propertyName } = THREE.PropertyBinding.parseTrackName(track.name);
      return { values: track.createInterpolant(), node: this.scene.getObjectByName(nodeName), propertyName };
    });
  }

  /** What the clip says at a time. An animation mixer writes only what changed since, so that sliders would add up. */
  play(time) {
    for (const { values, node, propertyName } of this.tracks) {
      const now = values.evaluate(time);
      if (propertyName === "morphTargetInfluences") for (const { amounts } of this.morphs) amounts.splice(0, now.length, ...now);
      else node[propertyName].fromArray(now);
    }
  }

  /** The pose of the clip at a time, with the sliders' amounts added to it. */
  pose(time) {
    for (const { amounts } of this.morphs) amounts.splice(0, this.rest.length, ...this.rest);
    for (const [node, place, turn] of this.restPose) { node.position.copy(place); node.quaternion.copy(turn); }
    this.play(time);
    for (const { amounts } of this.morphs) {
      for (const [name, amount] of Object.entries(this.amounts)) amounts[this.targets[name]] += amount;
    }
    for (const [name, bone] of Object.entries(this.bones)) {
      const [x, y, z] = this.turns[name] ?? [0, 0, 0], vector = new THREE.Vector3(x, y, z), angle = vector.length();
      if (angle > 0) {
        bone.quaternion.multiply(new THREE.Quaternion().setFromAxisAngle(vector.divideScalar(angle), angle));
      }
      this.correct(name, bone);
    }
    for (const morphs of this.morphs) morphs.apply();
  }

  /** glTF has no drivers: the pose correctives of a joint are its rotation matrix less the identity. */
  correct(name, bone) {
    const columns = new THREE.Matrix4().makeRotationFromQuaternion(bone.quaternion).elements;
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        const target = this.targets[`${name}_${row}${column}`];
        if (target === undefined) continue;
        const value = columns[4 * column + row] - (row === column ? 1 : 0);
        for (const { amounts } of this.morphs) amounts[target] = value;
      }
    }
  }
}

function addSliders(avatar, changed) {
  const resets = [];
  const add = (parent, name, low, high, change) => {
    resets.push(addSlider(parent, name, low, high, (value) => { change(value); changed(); }));
  };
  const addTargets = (title, names, low, high, open) => {
    if (names.length === 0) return;
    const group = addGroup(title, open);
    for (const name of names) add(group, name, low, high, (value) => { avatar.amounts[name] = value; });
  };
  const names = avatar.targetNames().filter((name) => !CORRECTIVE.test(name) && !JOINT_UNIT.test(name));
  const coefficients = names.filter((name) => COEFFICIENT.test(name));
  const shapes = names.filter((name) => !COEFFICIENT.test(name));
  const pose = addGroup("pose", true);
  for (const { label, turns, low, high } of CONTROLS.joints) {
    if (!turns.every(([joint]) => avatar.bones[joint])) continue;
    add(pose, label, low, high, (value) => {
      for (const [joint, axis, factor] of turns) (avatar.turns[joint] ??= [0, 0, 0])[axis] = factor * value;
    });
  }
  addTargets("expressions", shapes, 0, 1, true);
  addTargets("coefficients", coefficients.slice(0, CONTROLS.coefficients), -CONTROLS.largest, CONTROLS.largest, shapes.length === 0);
  return () => resets.forEach((reset) => reset());
}

/** The camera before the face, as far away as shows the whole avatar. */
function frame(camera, controls, avatar) {
  const box = new THREE.Box3();
  for (const mesh of avatar.meshes) box.union(new THREE.Box3().setFromBufferAttribute(mesh.geometry.attributes.position));
  const middle = box.getCenter(new THREE.Vector3()), size = box.getSize(new THREE.Vector3());
  const half = Math.tan(THREE.MathUtils.degToRad(camera.fov / 2));
  const distance = 0.55 * Math.max(size.y, size.x / camera.aspect) / half + size.z / 2;
  camera.position.set(middle.x, middle.y, middle.z + distance);
  camera.near = distance / 50;
  camera.far = 20 * distance;
  camera.updateProjectionMatrix();
  controls.target.copy(middle);
  controls.update();
}

async function show() {
  const software = drawsInSoftware();
  const renderer = new THREE.WebGLRenderer({ canvas: byId("view"), antialias: !software });
  const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera(20, 1, 0.01, 10);
  scene.background = new THREE.Color(0xffffff);
  const controls = new OrbitControls(camera, renderer.domElement);
  const avatar = new Avatar(await new GLTFLoader().parseAsync(bytesOf(byId("avatar").textContent.trim()).buffer, ""));
  scene.add(avatar.scene);

  let dirty = true, playing = false, time = 0, last = 0, frames = 0, counted = performance.now();
  const changed = () => { dirty = true; };
  const resize = () => {
    const narrow = matchMedia("(max-width: 640px)").matches;
    const panel = byId("panel").getBoundingClientRect();
    const width = innerWidth, height = innerHeight;
    renderer.setPixelRatio(software ? 1 : Math.min(devicePixelRatio, 2));
    renderer.setSize(width, height, false);
    // The panel lies over the canvas: the avatar is in the middle of what is left.
    const free = narrow ? [width, height - panel.height] : [width - panel.width, height];
    camera.aspect = free[0] / free[1];
    camera.setViewOffset(free[0], free[1], 0, 0, width, height);
    camera.updateProjectionMatrix();
    changed();
  };
  addEventListener("resize", resize);
  controls.addEventListener("change", changed);
  resize();
  frame(camera, controls, avatar);

  for (const name of [NO_CLIP, ...avatar.clips.map((clip) => clip.name)]) byId("clip").add(new Option(name));
  const reset = addSliders(avatar, changed);
  byId("reset").onclick = reset;
  byId("home").onclick = () => frame(camera, controls, avatar);
  const setPlaying = (value) => {
    playing = value && avatar.duration > 0;
    byId("play").textContent = playing ? "pause" : "play";
    last = performance.now();
  };
  byId("clip").onchange = () => {
    avatar.choose(byId("clip").value);
    time = 0;
    setPlaying(true);
    changed();
  };
  byId("play").onclick = () => {
    if (avatar.duration === 0 && avatar.clips.length > 0) {
      byId("clip").value = avatar.clips[0].name;
      avatar.choose(byId("clip").value);
    }
    setPlaying(!playing);
  };
  byId("time").oninput = () => { time = Number(byId("time").value) * avatar.duration; setPlaying(false); changed(); };

  renderer.setAnimationLoop((now) => {
    if (playing) {
      time = (time + Math.max(0, now - last) / 1000) % avatar.duration;
      last = now;
      byId("time").value = time / avatar.duration;
      dirty = true;
    }
    controls.update();
    if (dirty) {
      dirty = false;
      avatar.pose(time);
      renderer.render(scene, camera);
      frames += 1;
    }
    if (now - counted > 1000) {
      byId("rate").value = playing ? `${Math.round((1000 * frames) / (now - counted))} frames a second` : "";
      frames = 0;
      counted = now;
    }
  });
  byId("message").textContent = "";
  // For whoever drives the avatar from code of their own: amounts, turns, pose(time).
  window.avatar = avatar;
  document.body.dataset.ready = "true";
}

show().catch((error) => { byId("message").textContent = `The avatar cannot be shown: ${error.message}`; });
