// Made of src/schema by scripts/generate.ts.
"use strict";
export const config = validate10;
const schema11 = {"$id":"config","type":"object","required":["nodeId","endpoint"],"additionalProperties":false,"properties":{"driverName":{"type":"string","pattern":"^[a-zA-Z]([a-zA-Z0-9.-]{0,61}[a-zA-Z])?$","default":"csi.ashlar.dev"},"endpoint":{"type":"string","minLength":1},"socketMode":{"type":"string","pattern":"^0?[0-7]{3}$","default":"0660"},"allowTcp":{"type":"boolean","default":false},"nodeId":{"type":"string","pattern":"^[!-~]+$","maxLength":192},"zone":{"type":"string"},"region":{"type":"string"},"stateDir":{"type":"string","pattern":"^/.+","default":"/var/lib/ashlar/node"},"maxVolumesPerNode":{"type":"integer","minimum":0,"maximum":100000,"default":0},"offerGetSnapshot":{"type":"boolean","default":false},"selfPublish":{"type":"boolean","default":false},"maxConcurrentCalls":{"type":"integer","minimum":1,"maximum":1000,"default":16},"drainSeconds":{"type":"integer","minimum":0,"maximum":3600,"default":25},"metricsAddress":{"type":"string","nullable":true},"defaultPool":{"type":"string","default":"default"},"defaultTransport":{"type":"string","default":"loop"},"pools":{"type":"object","required":[],"additionalProperties":{"type":"object","required":["type","path"],"additionalProperties":false,"properties":{"type":{"type":"string","enum":["file"]},"path":{"type":"string","pattern":"^/.+"},"overcommit":{"type":"number","minimum":0.1,"maximum":1000,"default":1},"sectorSize":{"type":"integer","enum":[512,4096],"default":512}}},"default":{"default":{"type":"file","path":"/var/lib/ashlar/pool","overcommit":1,"sectorSize":512}}},"iscsi":{"type":"object","required":[],"additionalProperties":false,"properties":{"target":{"type":"string","enum":["lio","tgt"],"default":"lio"},"layout":{"type":"string","enum":["per-volume","per-node"],"default":"per-volume"},"portals":{"type":"array","items":{"type":"string"},"default":[]},"chap":{"type":"string","enum":["none","one-way","mutual"],"default":"none"},"chapKeyFile":{"type":"string","pattern":"^/.+","nullable":true},"initiatorName":{"type":"string","nullable":true},"inHostNamespaces":{"type":"boolean","default":false},"loginTimeoutSeconds":{"type":"integer","minimum":1,"maximum":86400,"default":5},"replacementTimeoutSeconds":{"type":"integer","minimum":1,"maximum":86400,"default":120},"noopIntervalSeconds":{"type":"integer","minimum":1,"maximum":86400,"default":5},"noopTimeoutSeconds":{"type":"integer","minimum":1,"maximum":86400,"default":5}},"nullable":true},"ephemeral":{"type":"object","required":["maxVolumes","maxVolumeMiB","maxTotalMiB"],"additionalProperties":false,"properties":{"pool":{"type":"string","nullable":true},"maxVolumes":{"type":"integer","minimum":0,"maximum":100000},"maxVolumeMiB":{"type":"integer","minimum":1,"maximum":1099511627776},"maxTotalMiB":{"type":"integer","minimum":1,"maximum":1099511627776}},"nullable":true},"storage":{"type":"object","required":["address","identityFile","knownHostsFile"],"additionalProperties":false,"properties":{"address":{"type":"string","minLength":1},"port":{"type":"integer","minimum":1,"maximum":65535,"default":22},"user":{"type":"string","minLength":1,"default":"root"},"identityFile":{"type":"string","pattern":"^/.+"},"knownHostsFile":{"type":"string","pattern":"^/.+"},"controlDir":{"type":"string","pattern":"^/.+","default":"/run/ashlar-ssh"}},"nullable":true},"log":{"type":"object","required":[],"additionalProperties":false,"default":{"level":"info"},"properties":{"level":{"type":"string","enum":["trace","debug","info","warn","error"],"default":"info"}}}}};
const func2 = Object.prototype.hasOwnProperty;
import func3Module from "ajv/dist/runtime/ucs2length.js"; const func3 = func3Module.default;
const pattern0 = new RegExp("^[a-zA-Z]([a-zA-Z0-9.-]{0,61}[a-zA-Z])?$", "u");
const pattern1 = new RegExp("^0?[0-7]{3}$", "u");
const pattern2 = new RegExp("^[!-~]+$", "u");
const pattern3 = new RegExp("^/.+", "u");

function validate10(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="config" */;
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
if(data.driverName === undefined){
data.driverName = "csi.ashlar.dev";
}
if(data.socketMode === undefined){
data.socketMode = "0660";
}
if(data.allowTcp === undefined){
data.allowTcp = false;
}
if(data.stateDir === undefined){
data.stateDir = "/var/lib/ashlar/node";
}
if(data.maxVolumesPerNode === undefined){
data.maxVolumesPerNode = 0;
}
if(data.offerGetSnapshot === undefined){
data.offerGetSnapshot = false;
}
if(data.selfPublish === undefined){
data.selfPublish = false;
}
if(data.maxConcurrentCalls === undefined){
data.maxConcurrentCalls = 16;
}
if(data.drainSeconds === undefined){
data.drainSeconds = 25;
}
if(data.defaultPool === undefined){
data.defaultPool = "default";
}
if(data.defaultTransport === undefined){
data.defaultTransport = "loop";
}
if(data.pools === undefined){
data.pools = {"default":{"type":"file","path":"/var/lib/ashlar/pool","overcommit":1,"sectorSize":512}};
}
if(data.log === undefined){
data.log = {"level":"info"};
}
if(data.nodeId === undefined){
const err0 = {instancePath,schemaPath:"#/required",keyword:"required",params:{missingProperty: "nodeId"},message:"must have required property '"+"nodeId"+"'"};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
if(data.endpoint === undefined){
const err1 = {instancePath,schemaPath:"#/required",keyword:"required",params:{missingProperty: "endpoint"},message:"must have required property '"+"endpoint"+"'"};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
for(const key0 in data){
if(!(func2.call(schema11.properties, key0))){
const err2 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
let data0 = data.driverName;
if(typeof data0 === "string"){
if(!pattern0.test(data0)){
const err3 = {instancePath:instancePath+"/driverName",schemaPath:"#/properties/driverName/pattern",keyword:"pattern",params:{pattern: "^[a-zA-Z]([a-zA-Z0-9.-]{0,61}[a-zA-Z])?$"},message:"must match pattern \""+"^[a-zA-Z]([a-zA-Z0-9.-]{0,61}[a-zA-Z])?$"+"\""};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
else {
const err4 = {instancePath:instancePath+"/driverName",schemaPath:"#/properties/driverName/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
if(data.endpoint !== undefined){
let data1 = data.endpoint;
if(typeof data1 === "string"){
if(func3(data1) < 1){
const err5 = {instancePath:instancePath+"/endpoint",schemaPath:"#/properties/endpoint/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters"};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
else {
const err6 = {instancePath:instancePath+"/endpoint",schemaPath:"#/properties/endpoint/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
let data2 = data.socketMode;
if(typeof data2 === "string"){
if(!pattern1.test(data2)){
const err7 = {instancePath:instancePath+"/socketMode",schemaPath:"#/properties/socketMode/pattern",keyword:"pattern",params:{pattern: "^0?[0-7]{3}$"},message:"must match pattern \""+"^0?[0-7]{3}$"+"\""};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
else {
const err8 = {instancePath:instancePath+"/socketMode",schemaPath:"#/properties/socketMode/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
if(typeof data.allowTcp !== "boolean"){
const err9 = {instancePath:instancePath+"/allowTcp",schemaPath:"#/properties/allowTcp/type",keyword:"type",params:{type: "boolean"},message:"must be boolean"};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(data.nodeId !== undefined){
let data4 = data.nodeId;
if(typeof data4 === "string"){
if(func3(data4) > 192){
const err10 = {instancePath:instancePath+"/nodeId",schemaPath:"#/properties/nodeId/maxLength",keyword:"maxLength",params:{limit: 192},message:"must NOT have more than 192 characters"};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
if(!pattern2.test(data4)){
const err11 = {instancePath:instancePath+"/nodeId",schemaPath:"#/properties/nodeId/pattern",keyword:"pattern",params:{pattern: "^[!-~]+$"},message:"must match pattern \""+"^[!-~]+$"+"\""};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
else {
const err12 = {instancePath:instancePath+"/nodeId",schemaPath:"#/properties/nodeId/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data.zone !== undefined){
if(typeof data.zone !== "string"){
const err13 = {instancePath:instancePath+"/zone",schemaPath:"#/properties/zone/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data.region !== undefined){
if(typeof data.region !== "string"){
const err14 = {instancePath:instancePath+"/region",schemaPath:"#/properties/region/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
let data7 = data.stateDir;
if(typeof data7 === "string"){
if(!pattern3.test(data7)){
const err15 = {instancePath:instancePath+"/stateDir",schemaPath:"#/properties/stateDir/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
else {
const err16 = {instancePath:instancePath+"/stateDir",schemaPath:"#/properties/stateDir/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
let data8 = data.maxVolumesPerNode;
if(!(((typeof data8 == "number") && (!(data8 % 1) && !isNaN(data8))) && (isFinite(data8)))){
const err17 = {instancePath:instancePath+"/maxVolumesPerNode",schemaPath:"#/properties/maxVolumesPerNode/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if((typeof data8 == "number") && (isFinite(data8))){
if(data8 > 100000 || isNaN(data8)){
const err18 = {instancePath:instancePath+"/maxVolumesPerNode",schemaPath:"#/properties/maxVolumesPerNode/maximum",keyword:"maximum",params:{comparison: "<=", limit: 100000},message:"must be <= 100000"};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if(data8 < 0 || isNaN(data8)){
const err19 = {instancePath:instancePath+"/maxVolumesPerNode",schemaPath:"#/properties/maxVolumesPerNode/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0"};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
if(typeof data.offerGetSnapshot !== "boolean"){
const err20 = {instancePath:instancePath+"/offerGetSnapshot",schemaPath:"#/properties/offerGetSnapshot/type",keyword:"type",params:{type: "boolean"},message:"must be boolean"};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
if(typeof data.selfPublish !== "boolean"){
const err21 = {instancePath:instancePath+"/selfPublish",schemaPath:"#/properties/selfPublish/type",keyword:"type",params:{type: "boolean"},message:"must be boolean"};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
let data11 = data.maxConcurrentCalls;
if(!(((typeof data11 == "number") && (!(data11 % 1) && !isNaN(data11))) && (isFinite(data11)))){
const err22 = {instancePath:instancePath+"/maxConcurrentCalls",schemaPath:"#/properties/maxConcurrentCalls/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
if((typeof data11 == "number") && (isFinite(data11))){
if(data11 > 1000 || isNaN(data11)){
const err23 = {instancePath:instancePath+"/maxConcurrentCalls",schemaPath:"#/properties/maxConcurrentCalls/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000},message:"must be <= 1000"};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if(data11 < 1 || isNaN(data11)){
const err24 = {instancePath:instancePath+"/maxConcurrentCalls",schemaPath:"#/properties/maxConcurrentCalls/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
let data12 = data.drainSeconds;
if(!(((typeof data12 == "number") && (!(data12 % 1) && !isNaN(data12))) && (isFinite(data12)))){
const err25 = {instancePath:instancePath+"/drainSeconds",schemaPath:"#/properties/drainSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
if((typeof data12 == "number") && (isFinite(data12))){
if(data12 > 3600 || isNaN(data12)){
const err26 = {instancePath:instancePath+"/drainSeconds",schemaPath:"#/properties/drainSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 3600},message:"must be <= 3600"};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
if(data12 < 0 || isNaN(data12)){
const err27 = {instancePath:instancePath+"/drainSeconds",schemaPath:"#/properties/drainSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0"};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data.metricsAddress !== undefined){
let data13 = data.metricsAddress;
if((typeof data13 !== "string") && (data13 !== null)){
const err28 = {instancePath:instancePath+"/metricsAddress",schemaPath:"#/properties/metricsAddress/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
}
if(typeof data.defaultPool !== "string"){
const err29 = {instancePath:instancePath+"/defaultPool",schemaPath:"#/properties/defaultPool/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
if(typeof data.defaultTransport !== "string"){
const err30 = {instancePath:instancePath+"/defaultTransport",schemaPath:"#/properties/defaultTransport/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
let data16 = data.pools;
if(data16 && typeof data16 == "object" && !Array.isArray(data16)){
for(const key1 in data16){
let data17 = data16[key1];
if(data17 && typeof data17 == "object" && !Array.isArray(data17)){
if(data17.overcommit === undefined){
data17.overcommit = 1;
}
if(data17.sectorSize === undefined){
data17.sectorSize = 512;
}
if(data17.type === undefined){
const err31 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/pools/additionalProperties/required",keyword:"required",params:{missingProperty: "type"},message:"must have required property '"+"type"+"'"};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
if(data17.path === undefined){
const err32 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/pools/additionalProperties/required",keyword:"required",params:{missingProperty: "path"},message:"must have required property '"+"path"+"'"};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
for(const key2 in data17){
if(!((((key2 === "type") || (key2 === "path")) || (key2 === "overcommit")) || (key2 === "sectorSize"))){
const err33 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/pools/additionalProperties/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
if(data17.type !== undefined){
let data18 = data17.type;
if(typeof data18 !== "string"){
const err34 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/type",schemaPath:"#/properties/pools/additionalProperties/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
if(!(data18 === "file")){
const err35 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/type",schemaPath:"#/properties/pools/additionalProperties/properties/type/enum",keyword:"enum",params:{allowedValues: schema11.properties.pools.additionalProperties.properties.type.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
if(data17.path !== undefined){
let data19 = data17.path;
if(typeof data19 === "string"){
if(!pattern3.test(data19)){
const err36 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/path",schemaPath:"#/properties/pools/additionalProperties/properties/path/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
else {
const err37 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/path",schemaPath:"#/properties/pools/additionalProperties/properties/path/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
}
let data20 = data17.overcommit;
if((typeof data20 == "number") && (isFinite(data20))){
if(data20 > 1000 || isNaN(data20)){
const err38 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/overcommit",schemaPath:"#/properties/pools/additionalProperties/properties/overcommit/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000},message:"must be <= 1000"};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
if(data20 < 0.1 || isNaN(data20)){
const err39 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/overcommit",schemaPath:"#/properties/pools/additionalProperties/properties/overcommit/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0.1},message:"must be >= 0.1"};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
else {
const err40 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/overcommit",schemaPath:"#/properties/pools/additionalProperties/properties/overcommit/type",keyword:"type",params:{type: "number"},message:"must be number"};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
let data21 = data17.sectorSize;
if(!(((typeof data21 == "number") && (!(data21 % 1) && !isNaN(data21))) && (isFinite(data21)))){
const err41 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/sectorSize",schemaPath:"#/properties/pools/additionalProperties/properties/sectorSize/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
if(!((data21 === 512) || (data21 === 4096))){
const err42 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1")+"/sectorSize",schemaPath:"#/properties/pools/additionalProperties/properties/sectorSize/enum",keyword:"enum",params:{allowedValues: schema11.properties.pools.additionalProperties.properties.sectorSize.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
}
else {
const err43 = {instancePath:instancePath+"/pools/" + key1.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/pools/additionalProperties/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
}
}
else {
const err44 = {instancePath:instancePath+"/pools",schemaPath:"#/properties/pools/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
if(data.iscsi !== undefined){
let data22 = data.iscsi;
if((!(data22 && typeof data22 == "object" && !Array.isArray(data22))) && (data22 !== null)){
const err45 = {instancePath:instancePath+"/iscsi",schemaPath:"#/properties/iscsi/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err45];
}
else {
vErrors.push(err45);
}
errors++;
}
if(data22 && typeof data22 == "object" && !Array.isArray(data22)){
if(data22.target === undefined){
data22.target = "lio";
}
if(data22.layout === undefined){
data22.layout = "per-volume";
}
if(data22.portals === undefined){
data22.portals = [];
}
if(data22.chap === undefined){
data22.chap = "none";
}
if(data22.inHostNamespaces === undefined){
data22.inHostNamespaces = false;
}
if(data22.loginTimeoutSeconds === undefined){
data22.loginTimeoutSeconds = 5;
}
if(data22.replacementTimeoutSeconds === undefined){
data22.replacementTimeoutSeconds = 120;
}
if(data22.noopIntervalSeconds === undefined){
data22.noopIntervalSeconds = 5;
}
if(data22.noopTimeoutSeconds === undefined){
data22.noopTimeoutSeconds = 5;
}
for(const key3 in data22){
if(!(func2.call(schema11.properties.iscsi.properties, key3))){
const err46 = {instancePath:instancePath+"/iscsi",schemaPath:"#/properties/iscsi/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err46];
}
else {
vErrors.push(err46);
}
errors++;
}
}
let data23 = data22.target;
if(typeof data23 !== "string"){
const err47 = {instancePath:instancePath+"/iscsi/target",schemaPath:"#/properties/iscsi/properties/target/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err47];
}
else {
vErrors.push(err47);
}
errors++;
}
if(!((data23 === "lio") || (data23 === "tgt"))){
const err48 = {instancePath:instancePath+"/iscsi/target",schemaPath:"#/properties/iscsi/properties/target/enum",keyword:"enum",params:{allowedValues: schema11.properties.iscsi.properties.target.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err48];
}
else {
vErrors.push(err48);
}
errors++;
}
let data24 = data22.layout;
if(typeof data24 !== "string"){
const err49 = {instancePath:instancePath+"/iscsi/layout",schemaPath:"#/properties/iscsi/properties/layout/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err49];
}
else {
vErrors.push(err49);
}
errors++;
}
if(!((data24 === "per-volume") || (data24 === "per-node"))){
const err50 = {instancePath:instancePath+"/iscsi/layout",schemaPath:"#/properties/iscsi/properties/layout/enum",keyword:"enum",params:{allowedValues: schema11.properties.iscsi.properties.layout.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err50];
}
else {
vErrors.push(err50);
}
errors++;
}
let data25 = data22.portals;
if(Array.isArray(data25)){
const len0 = data25.length;
for(let i0=0; i0<len0; i0++){
if(typeof data25[i0] !== "string"){
const err51 = {instancePath:instancePath+"/iscsi/portals/" + i0,schemaPath:"#/properties/iscsi/properties/portals/items/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err51];
}
else {
vErrors.push(err51);
}
errors++;
}
}
}
else {
const err52 = {instancePath:instancePath+"/iscsi/portals",schemaPath:"#/properties/iscsi/properties/portals/type",keyword:"type",params:{type: "array"},message:"must be array"};
if(vErrors === null){
vErrors = [err52];
}
else {
vErrors.push(err52);
}
errors++;
}
let data27 = data22.chap;
if(typeof data27 !== "string"){
const err53 = {instancePath:instancePath+"/iscsi/chap",schemaPath:"#/properties/iscsi/properties/chap/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err53];
}
else {
vErrors.push(err53);
}
errors++;
}
if(!(((data27 === "none") || (data27 === "one-way")) || (data27 === "mutual"))){
const err54 = {instancePath:instancePath+"/iscsi/chap",schemaPath:"#/properties/iscsi/properties/chap/enum",keyword:"enum",params:{allowedValues: schema11.properties.iscsi.properties.chap.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err54];
}
else {
vErrors.push(err54);
}
errors++;
}
if(data22.chapKeyFile !== undefined){
let data28 = data22.chapKeyFile;
if((typeof data28 !== "string") && (data28 !== null)){
const err55 = {instancePath:instancePath+"/iscsi/chapKeyFile",schemaPath:"#/properties/iscsi/properties/chapKeyFile/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err55];
}
else {
vErrors.push(err55);
}
errors++;
}
if(typeof data28 === "string"){
if(!pattern3.test(data28)){
const err56 = {instancePath:instancePath+"/iscsi/chapKeyFile",schemaPath:"#/properties/iscsi/properties/chapKeyFile/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err56];
}
else {
vErrors.push(err56);
}
errors++;
}
}
}
if(data22.initiatorName !== undefined){
let data29 = data22.initiatorName;
if((typeof data29 !== "string") && (data29 !== null)){
const err57 = {instancePath:instancePath+"/iscsi/initiatorName",schemaPath:"#/properties/iscsi/properties/initiatorName/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err57];
}
else {
vErrors.push(err57);
}
errors++;
}
}
if(typeof data22.inHostNamespaces !== "boolean"){
const err58 = {instancePath:instancePath+"/iscsi/inHostNamespaces",schemaPath:"#/properties/iscsi/properties/inHostNamespaces/type",keyword:"type",params:{type: "boolean"},message:"must be boolean"};
if(vErrors === null){
vErrors = [err58];
}
else {
vErrors.push(err58);
}
errors++;
}
let data31 = data22.loginTimeoutSeconds;
if(!(((typeof data31 == "number") && (!(data31 % 1) && !isNaN(data31))) && (isFinite(data31)))){
const err59 = {instancePath:instancePath+"/iscsi/loginTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/loginTimeoutSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err59];
}
else {
vErrors.push(err59);
}
errors++;
}
if((typeof data31 == "number") && (isFinite(data31))){
if(data31 > 86400 || isNaN(data31)){
const err60 = {instancePath:instancePath+"/iscsi/loginTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/loginTimeoutSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400},message:"must be <= 86400"};
if(vErrors === null){
vErrors = [err60];
}
else {
vErrors.push(err60);
}
errors++;
}
if(data31 < 1 || isNaN(data31)){
const err61 = {instancePath:instancePath+"/iscsi/loginTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/loginTimeoutSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err61];
}
else {
vErrors.push(err61);
}
errors++;
}
}
let data32 = data22.replacementTimeoutSeconds;
if(!(((typeof data32 == "number") && (!(data32 % 1) && !isNaN(data32))) && (isFinite(data32)))){
const err62 = {instancePath:instancePath+"/iscsi/replacementTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/replacementTimeoutSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err62];
}
else {
vErrors.push(err62);
}
errors++;
}
if((typeof data32 == "number") && (isFinite(data32))){
if(data32 > 86400 || isNaN(data32)){
const err63 = {instancePath:instancePath+"/iscsi/replacementTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/replacementTimeoutSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400},message:"must be <= 86400"};
if(vErrors === null){
vErrors = [err63];
}
else {
vErrors.push(err63);
}
errors++;
}
if(data32 < 1 || isNaN(data32)){
const err64 = {instancePath:instancePath+"/iscsi/replacementTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/replacementTimeoutSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err64];
}
else {
vErrors.push(err64);
}
errors++;
}
}
let data33 = data22.noopIntervalSeconds;
if(!(((typeof data33 == "number") && (!(data33 % 1) && !isNaN(data33))) && (isFinite(data33)))){
const err65 = {instancePath:instancePath+"/iscsi/noopIntervalSeconds",schemaPath:"#/properties/iscsi/properties/noopIntervalSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err65];
}
else {
vErrors.push(err65);
}
errors++;
}
if((typeof data33 == "number") && (isFinite(data33))){
if(data33 > 86400 || isNaN(data33)){
const err66 = {instancePath:instancePath+"/iscsi/noopIntervalSeconds",schemaPath:"#/properties/iscsi/properties/noopIntervalSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400},message:"must be <= 86400"};
if(vErrors === null){
vErrors = [err66];
}
else {
vErrors.push(err66);
}
errors++;
}
if(data33 < 1 || isNaN(data33)){
const err67 = {instancePath:instancePath+"/iscsi/noopIntervalSeconds",schemaPath:"#/properties/iscsi/properties/noopIntervalSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err67];
}
else {
vErrors.push(err67);
}
errors++;
}
}
let data34 = data22.noopTimeoutSeconds;
if(!(((typeof data34 == "number") && (!(data34 % 1) && !isNaN(data34))) && (isFinite(data34)))){
const err68 = {instancePath:instancePath+"/iscsi/noopTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/noopTimeoutSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err68];
}
else {
vErrors.push(err68);
}
errors++;
}
if((typeof data34 == "number") && (isFinite(data34))){
if(data34 > 86400 || isNaN(data34)){
const err69 = {instancePath:instancePath+"/iscsi/noopTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/noopTimeoutSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400},message:"must be <= 86400"};
if(vErrors === null){
vErrors = [err69];
}
else {
vErrors.push(err69);
}
errors++;
}
if(data34 < 1 || isNaN(data34)){
const err70 = {instancePath:instancePath+"/iscsi/noopTimeoutSeconds",schemaPath:"#/properties/iscsi/properties/noopTimeoutSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err70];
}
else {
vErrors.push(err70);
}
errors++;
}
}
}
}
if(data.ephemeral !== undefined){
let data35 = data.ephemeral;
if((!(data35 && typeof data35 == "object" && !Array.isArray(data35))) && (data35 !== null)){
const err71 = {instancePath:instancePath+"/ephemeral",schemaPath:"#/properties/ephemeral/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err71];
}
else {
vErrors.push(err71);
}
errors++;
}
if(data35 && typeof data35 == "object" && !Array.isArray(data35)){
if(data35.maxVolumes === undefined){
const err72 = {instancePath:instancePath+"/ephemeral",schemaPath:"#/properties/ephemeral/required",keyword:"required",params:{missingProperty: "maxVolumes"},message:"must have required property '"+"maxVolumes"+"'"};
if(vErrors === null){
vErrors = [err72];
}
else {
vErrors.push(err72);
}
errors++;
}
if(data35.maxVolumeMiB === undefined){
const err73 = {instancePath:instancePath+"/ephemeral",schemaPath:"#/properties/ephemeral/required",keyword:"required",params:{missingProperty: "maxVolumeMiB"},message:"must have required property '"+"maxVolumeMiB"+"'"};
if(vErrors === null){
vErrors = [err73];
}
else {
vErrors.push(err73);
}
errors++;
}
if(data35.maxTotalMiB === undefined){
const err74 = {instancePath:instancePath+"/ephemeral",schemaPath:"#/properties/ephemeral/required",keyword:"required",params:{missingProperty: "maxTotalMiB"},message:"must have required property '"+"maxTotalMiB"+"'"};
if(vErrors === null){
vErrors = [err74];
}
else {
vErrors.push(err74);
}
errors++;
}
for(const key4 in data35){
if(!((((key4 === "pool") || (key4 === "maxVolumes")) || (key4 === "maxVolumeMiB")) || (key4 === "maxTotalMiB"))){
const err75 = {instancePath:instancePath+"/ephemeral",schemaPath:"#/properties/ephemeral/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key4},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err75];
}
else {
vErrors.push(err75);
}
errors++;
}
}
if(data35.pool !== undefined){
let data36 = data35.pool;
if((typeof data36 !== "string") && (data36 !== null)){
const err76 = {instancePath:instancePath+"/ephemeral/pool",schemaPath:"#/properties/ephemeral/properties/pool/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err76];
}
else {
vErrors.push(err76);
}
errors++;
}
}
if(data35.maxVolumes !== undefined){
let data37 = data35.maxVolumes;
if(!(((typeof data37 == "number") && (!(data37 % 1) && !isNaN(data37))) && (isFinite(data37)))){
const err77 = {instancePath:instancePath+"/ephemeral/maxVolumes",schemaPath:"#/properties/ephemeral/properties/maxVolumes/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err77];
}
else {
vErrors.push(err77);
}
errors++;
}
if((typeof data37 == "number") && (isFinite(data37))){
if(data37 > 100000 || isNaN(data37)){
const err78 = {instancePath:instancePath+"/ephemeral/maxVolumes",schemaPath:"#/properties/ephemeral/properties/maxVolumes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 100000},message:"must be <= 100000"};
if(vErrors === null){
vErrors = [err78];
}
else {
vErrors.push(err78);
}
errors++;
}
if(data37 < 0 || isNaN(data37)){
const err79 = {instancePath:instancePath+"/ephemeral/maxVolumes",schemaPath:"#/properties/ephemeral/properties/maxVolumes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0"};
if(vErrors === null){
vErrors = [err79];
}
else {
vErrors.push(err79);
}
errors++;
}
}
}
if(data35.maxVolumeMiB !== undefined){
let data38 = data35.maxVolumeMiB;
if(!(((typeof data38 == "number") && (!(data38 % 1) && !isNaN(data38))) && (isFinite(data38)))){
const err80 = {instancePath:instancePath+"/ephemeral/maxVolumeMiB",schemaPath:"#/properties/ephemeral/properties/maxVolumeMiB/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err80];
}
else {
vErrors.push(err80);
}
errors++;
}
if((typeof data38 == "number") && (isFinite(data38))){
if(data38 > 1099511627776 || isNaN(data38)){
const err81 = {instancePath:instancePath+"/ephemeral/maxVolumeMiB",schemaPath:"#/properties/ephemeral/properties/maxVolumeMiB/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1099511627776},message:"must be <= 1099511627776"};
if(vErrors === null){
vErrors = [err81];
}
else {
vErrors.push(err81);
}
errors++;
}
if(data38 < 1 || isNaN(data38)){
const err82 = {instancePath:instancePath+"/ephemeral/maxVolumeMiB",schemaPath:"#/properties/ephemeral/properties/maxVolumeMiB/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err82];
}
else {
vErrors.push(err82);
}
errors++;
}
}
}
if(data35.maxTotalMiB !== undefined){
let data39 = data35.maxTotalMiB;
if(!(((typeof data39 == "number") && (!(data39 % 1) && !isNaN(data39))) && (isFinite(data39)))){
const err83 = {instancePath:instancePath+"/ephemeral/maxTotalMiB",schemaPath:"#/properties/ephemeral/properties/maxTotalMiB/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err83];
}
else {
vErrors.push(err83);
}
errors++;
}
if((typeof data39 == "number") && (isFinite(data39))){
if(data39 > 1099511627776 || isNaN(data39)){
const err84 = {instancePath:instancePath+"/ephemeral/maxTotalMiB",schemaPath:"#/properties/ephemeral/properties/maxTotalMiB/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1099511627776},message:"must be <= 1099511627776"};
if(vErrors === null){
vErrors = [err84];
}
else {
vErrors.push(err84);
}
errors++;
}
if(data39 < 1 || isNaN(data39)){
const err85 = {instancePath:instancePath+"/ephemeral/maxTotalMiB",schemaPath:"#/properties/ephemeral/properties/maxTotalMiB/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err85];
}
else {
vErrors.push(err85);
}
errors++;
}
}
}
}
}
if(data.storage !== undefined){
let data40 = data.storage;
if((!(data40 && typeof data40 == "object" && !Array.isArray(data40))) && (data40 !== null)){
const err86 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err86];
}
else {
vErrors.push(err86);
}
errors++;
}
if(data40 && typeof data40 == "object" && !Array.isArray(data40)){
if(data40.port === undefined){
data40.port = 22;
}
if(data40.user === undefined){
data40.user = "root";
}
if(data40.controlDir === undefined){
data40.controlDir = "/run/ashlar-ssh";
}
if(data40.address === undefined){
const err87 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/required",keyword:"required",params:{missingProperty: "address"},message:"must have required property '"+"address"+"'"};
if(vErrors === null){
vErrors = [err87];
}
else {
vErrors.push(err87);
}
errors++;
}
if(data40.identityFile === undefined){
const err88 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/required",keyword:"required",params:{missingProperty: "identityFile"},message:"must have required property '"+"identityFile"+"'"};
if(vErrors === null){
vErrors = [err88];
}
else {
vErrors.push(err88);
}
errors++;
}
if(data40.knownHostsFile === undefined){
const err89 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/required",keyword:"required",params:{missingProperty: "knownHostsFile"},message:"must have required property '"+"knownHostsFile"+"'"};
if(vErrors === null){
vErrors = [err89];
}
else {
vErrors.push(err89);
}
errors++;
}
for(const key5 in data40){
if(!((((((key5 === "address") || (key5 === "port")) || (key5 === "user")) || (key5 === "identityFile")) || (key5 === "knownHostsFile")) || (key5 === "controlDir"))){
const err90 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key5},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err90];
}
else {
vErrors.push(err90);
}
errors++;
}
}
if(data40.address !== undefined){
let data41 = data40.address;
if(typeof data41 === "string"){
if(func3(data41) < 1){
const err91 = {instancePath:instancePath+"/storage/address",schemaPath:"#/properties/storage/properties/address/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters"};
if(vErrors === null){
vErrors = [err91];
}
else {
vErrors.push(err91);
}
errors++;
}
}
else {
const err92 = {instancePath:instancePath+"/storage/address",schemaPath:"#/properties/storage/properties/address/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err92];
}
else {
vErrors.push(err92);
}
errors++;
}
}
let data42 = data40.port;
if(!(((typeof data42 == "number") && (!(data42 % 1) && !isNaN(data42))) && (isFinite(data42)))){
const err93 = {instancePath:instancePath+"/storage/port",schemaPath:"#/properties/storage/properties/port/type",keyword:"type",params:{type: "integer"},message:"must be integer"};
if(vErrors === null){
vErrors = [err93];
}
else {
vErrors.push(err93);
}
errors++;
}
if((typeof data42 == "number") && (isFinite(data42))){
if(data42 > 65535 || isNaN(data42)){
const err94 = {instancePath:instancePath+"/storage/port",schemaPath:"#/properties/storage/properties/port/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535"};
if(vErrors === null){
vErrors = [err94];
}
else {
vErrors.push(err94);
}
errors++;
}
if(data42 < 1 || isNaN(data42)){
const err95 = {instancePath:instancePath+"/storage/port",schemaPath:"#/properties/storage/properties/port/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1"};
if(vErrors === null){
vErrors = [err95];
}
else {
vErrors.push(err95);
}
errors++;
}
}
let data43 = data40.user;
if(typeof data43 === "string"){
if(func3(data43) < 1){
const err96 = {instancePath:instancePath+"/storage/user",schemaPath:"#/properties/storage/properties/user/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters"};
if(vErrors === null){
vErrors = [err96];
}
else {
vErrors.push(err96);
}
errors++;
}
}
else {
const err97 = {instancePath:instancePath+"/storage/user",schemaPath:"#/properties/storage/properties/user/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err97];
}
else {
vErrors.push(err97);
}
errors++;
}
if(data40.identityFile !== undefined){
let data44 = data40.identityFile;
if(typeof data44 === "string"){
if(!pattern3.test(data44)){
const err98 = {instancePath:instancePath+"/storage/identityFile",schemaPath:"#/properties/storage/properties/identityFile/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err98];
}
else {
vErrors.push(err98);
}
errors++;
}
}
else {
const err99 = {instancePath:instancePath+"/storage/identityFile",schemaPath:"#/properties/storage/properties/identityFile/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err99];
}
else {
vErrors.push(err99);
}
errors++;
}
}
if(data40.knownHostsFile !== undefined){
let data45 = data40.knownHostsFile;
if(typeof data45 === "string"){
if(!pattern3.test(data45)){
const err100 = {instancePath:instancePath+"/storage/knownHostsFile",schemaPath:"#/properties/storage/properties/knownHostsFile/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err100];
}
else {
vErrors.push(err100);
}
errors++;
}
}
else {
const err101 = {instancePath:instancePath+"/storage/knownHostsFile",schemaPath:"#/properties/storage/properties/knownHostsFile/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err101];
}
else {
vErrors.push(err101);
}
errors++;
}
}
let data46 = data40.controlDir;
if(typeof data46 === "string"){
if(!pattern3.test(data46)){
const err102 = {instancePath:instancePath+"/storage/controlDir",schemaPath:"#/properties/storage/properties/controlDir/pattern",keyword:"pattern",params:{pattern: "^/.+"},message:"must match pattern \""+"^/.+"+"\""};
if(vErrors === null){
vErrors = [err102];
}
else {
vErrors.push(err102);
}
errors++;
}
}
else {
const err103 = {instancePath:instancePath+"/storage/controlDir",schemaPath:"#/properties/storage/properties/controlDir/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err103];
}
else {
vErrors.push(err103);
}
errors++;
}
}
}
let data47 = data.log;
if(data47 && typeof data47 == "object" && !Array.isArray(data47)){
if(data47.level === undefined){
data47.level = "info";
}
for(const key6 in data47){
if(!(key6 === "level")){
const err104 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key6},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err104];
}
else {
vErrors.push(err104);
}
errors++;
}
}
let data48 = data47.level;
if(typeof data48 !== "string"){
const err105 = {instancePath:instancePath+"/log/level",schemaPath:"#/properties/log/properties/level/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err105];
}
else {
vErrors.push(err105);
}
errors++;
}
if(!(((((data48 === "trace") || (data48 === "debug")) || (data48 === "info")) || (data48 === "warn")) || (data48 === "error"))){
const err106 = {instancePath:instancePath+"/log/level",schemaPath:"#/properties/log/properties/level/enum",keyword:"enum",params:{allowedValues: schema11.properties.log.properties.level.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err106];
}
else {
vErrors.push(err106);
}
errors++;
}
}
else {
const err107 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err107];
}
else {
vErrors.push(err107);
}
errors++;
}
}
else {
const err108 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err108];
}
else {
vErrors.push(err108);
}
errors++;
}
validate10.errors = vErrors;
return errors === 0;
}

export const parameters = validate11;
const schema12 = {"$id":"parameters","type":"object","properties":{"pool":{"type":"string","nullable":true},"transport":{"type":"string","nullable":true},"fsType":{"type":"string","enum":["ext4","xfs"],"nullable":true},"blockSize":{"type":"string","enum":["1024","2048","4096"],"nullable":true},"inodeSize":{"type":"string","enum":["256","512","1024","2048"],"nullable":true},"bytesPerInode":{"type":"string","pattern":"^[1-9]\\d{3,7}$","nullable":true},"reservedPercent":{"type":"string","pattern":"^([0-9]|[1-4][0-9]|50)$","nullable":true},"reflink":{"type":"string","enum":["true","false"],"nullable":true},"mountPermissions":{"type":"string","pattern":"^[0-7]{3,4}$","nullable":true},"uid":{"type":"string","pattern":"^(0|[1-9]\\d{0,9})$","nullable":true},"gid":{"type":"string","pattern":"^(0|[1-9]\\d{0,9})$","nullable":true}},"additionalProperties":false};
const pattern9 = new RegExp("^[1-9]\\d{3,7}$", "u");
const pattern10 = new RegExp("^([0-9]|[1-4][0-9]|50)$", "u");
const pattern11 = new RegExp("^[0-7]{3,4}$", "u");
const pattern12 = new RegExp("^(0|[1-9]\\d{0,9})$", "u");

function validate11(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="parameters" */;
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(func2.call(schema12.properties, key0))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.pool !== undefined){
let data0 = data.pool;
if((typeof data0 !== "string") && (data0 !== null)){
const err1 = {instancePath:instancePath+"/pool",schemaPath:"#/properties/pool/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.transport !== undefined){
let data1 = data.transport;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/transport",schemaPath:"#/properties/transport/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.fsType !== undefined){
let data2 = data.fsType;
if((typeof data2 !== "string") && (data2 !== null)){
const err3 = {instancePath:instancePath+"/fsType",schemaPath:"#/properties/fsType/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
if(!((data2 === "ext4") || (data2 === "xfs"))){
const err4 = {instancePath:instancePath+"/fsType",schemaPath:"#/properties/fsType/enum",keyword:"enum",params:{allowedValues: schema12.properties.fsType.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data.blockSize !== undefined){
let data3 = data.blockSize;
if((typeof data3 !== "string") && (data3 !== null)){
const err5 = {instancePath:instancePath+"/blockSize",schemaPath:"#/properties/blockSize/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if(!(((data3 === "1024") || (data3 === "2048")) || (data3 === "4096"))){
const err6 = {instancePath:instancePath+"/blockSize",schemaPath:"#/properties/blockSize/enum",keyword:"enum",params:{allowedValues: schema12.properties.blockSize.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data.inodeSize !== undefined){
let data4 = data.inodeSize;
if((typeof data4 !== "string") && (data4 !== null)){
const err7 = {instancePath:instancePath+"/inodeSize",schemaPath:"#/properties/inodeSize/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
if(!((((data4 === "256") || (data4 === "512")) || (data4 === "1024")) || (data4 === "2048"))){
const err8 = {instancePath:instancePath+"/inodeSize",schemaPath:"#/properties/inodeSize/enum",keyword:"enum",params:{allowedValues: schema12.properties.inodeSize.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
if(data.bytesPerInode !== undefined){
let data5 = data.bytesPerInode;
if((typeof data5 !== "string") && (data5 !== null)){
const err9 = {instancePath:instancePath+"/bytesPerInode",schemaPath:"#/properties/bytesPerInode/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(typeof data5 === "string"){
if(!pattern9.test(data5)){
const err10 = {instancePath:instancePath+"/bytesPerInode",schemaPath:"#/properties/bytesPerInode/pattern",keyword:"pattern",params:{pattern: "^[1-9]\\d{3,7}$"},message:"must match pattern \""+"^[1-9]\\d{3,7}$"+"\""};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
}
if(data.reservedPercent !== undefined){
let data6 = data.reservedPercent;
if((typeof data6 !== "string") && (data6 !== null)){
const err11 = {instancePath:instancePath+"/reservedPercent",schemaPath:"#/properties/reservedPercent/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
if(typeof data6 === "string"){
if(!pattern10.test(data6)){
const err12 = {instancePath:instancePath+"/reservedPercent",schemaPath:"#/properties/reservedPercent/pattern",keyword:"pattern",params:{pattern: "^([0-9]|[1-4][0-9]|50)$"},message:"must match pattern \""+"^([0-9]|[1-4][0-9]|50)$"+"\""};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
}
if(data.reflink !== undefined){
let data7 = data.reflink;
if((typeof data7 !== "string") && (data7 !== null)){
const err13 = {instancePath:instancePath+"/reflink",schemaPath:"#/properties/reflink/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
if(!((data7 === "true") || (data7 === "false"))){
const err14 = {instancePath:instancePath+"/reflink",schemaPath:"#/properties/reflink/enum",keyword:"enum",params:{allowedValues: schema12.properties.reflink.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
if(data.mountPermissions !== undefined){
let data8 = data.mountPermissions;
if((typeof data8 !== "string") && (data8 !== null)){
const err15 = {instancePath:instancePath+"/mountPermissions",schemaPath:"#/properties/mountPermissions/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if(typeof data8 === "string"){
if(!pattern11.test(data8)){
const err16 = {instancePath:instancePath+"/mountPermissions",schemaPath:"#/properties/mountPermissions/pattern",keyword:"pattern",params:{pattern: "^[0-7]{3,4}$"},message:"must match pattern \""+"^[0-7]{3,4}$"+"\""};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
if(data.uid !== undefined){
let data9 = data.uid;
if((typeof data9 !== "string") && (data9 !== null)){
const err17 = {instancePath:instancePath+"/uid",schemaPath:"#/properties/uid/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if(typeof data9 === "string"){
if(!pattern12.test(data9)){
const err18 = {instancePath:instancePath+"/uid",schemaPath:"#/properties/uid/pattern",keyword:"pattern",params:{pattern: "^(0|[1-9]\\d{0,9})$"},message:"must match pattern \""+"^(0|[1-9]\\d{0,9})$"+"\""};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
}
if(data.gid !== undefined){
let data10 = data.gid;
if((typeof data10 !== "string") && (data10 !== null)){
const err19 = {instancePath:instancePath+"/gid",schemaPath:"#/properties/gid/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
if(typeof data10 === "string"){
if(!pattern12.test(data10)){
const err20 = {instancePath:instancePath+"/gid",schemaPath:"#/properties/gid/pattern",keyword:"pattern",params:{pattern: "^(0|[1-9]\\d{0,9})$"},message:"must match pattern \""+"^(0|[1-9]\\d{0,9})$"+"\""};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
}
}
else {
const err21 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
validate11.errors = vErrors;
return errors === 0;
}

export const tuning = validate12;
const schema13 = {"$id":"tuning","type":"object","properties":{"readIops":{"type":"string","pattern":"^(none|[1-9]\\d{0,8})$","nullable":true},"writeIops":{"type":"string","pattern":"^(none|[1-9]\\d{0,8})$","nullable":true},"readBytesPerSecond":{"type":"string","pattern":"^(none|[1-9]\\d{0,14})$","nullable":true},"writeBytesPerSecond":{"type":"string","pattern":"^(none|[1-9]\\d{0,14})$","nullable":true},"readAheadKiB":{"type":"string","pattern":"^(0|[1-9]\\d{0,4})$","nullable":true},"discard":{"type":"string","enum":["on","off"],"nullable":true}},"additionalProperties":false};
const pattern14 = new RegExp("^(none|[1-9]\\d{0,8})$", "u");
const pattern16 = new RegExp("^(none|[1-9]\\d{0,14})$", "u");
const pattern18 = new RegExp("^(0|[1-9]\\d{0,4})$", "u");

function validate12(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="tuning" */;
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!((((((key0 === "readIops") || (key0 === "writeIops")) || (key0 === "readBytesPerSecond")) || (key0 === "writeBytesPerSecond")) || (key0 === "readAheadKiB")) || (key0 === "discard"))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties"};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.readIops !== undefined){
let data0 = data.readIops;
if((typeof data0 !== "string") && (data0 !== null)){
const err1 = {instancePath:instancePath+"/readIops",schemaPath:"#/properties/readIops/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
if(typeof data0 === "string"){
if(!pattern14.test(data0)){
const err2 = {instancePath:instancePath+"/readIops",schemaPath:"#/properties/readIops/pattern",keyword:"pattern",params:{pattern: "^(none|[1-9]\\d{0,8})$"},message:"must match pattern \""+"^(none|[1-9]\\d{0,8})$"+"\""};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
}
if(data.writeIops !== undefined){
let data1 = data.writeIops;
if((typeof data1 !== "string") && (data1 !== null)){
const err3 = {instancePath:instancePath+"/writeIops",schemaPath:"#/properties/writeIops/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
if(typeof data1 === "string"){
if(!pattern14.test(data1)){
const err4 = {instancePath:instancePath+"/writeIops",schemaPath:"#/properties/writeIops/pattern",keyword:"pattern",params:{pattern: "^(none|[1-9]\\d{0,8})$"},message:"must match pattern \""+"^(none|[1-9]\\d{0,8})$"+"\""};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
}
if(data.readBytesPerSecond !== undefined){
let data2 = data.readBytesPerSecond;
if((typeof data2 !== "string") && (data2 !== null)){
const err5 = {instancePath:instancePath+"/readBytesPerSecond",schemaPath:"#/properties/readBytesPerSecond/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if(typeof data2 === "string"){
if(!pattern16.test(data2)){
const err6 = {instancePath:instancePath+"/readBytesPerSecond",schemaPath:"#/properties/readBytesPerSecond/pattern",keyword:"pattern",params:{pattern: "^(none|[1-9]\\d{0,14})$"},message:"must match pattern \""+"^(none|[1-9]\\d{0,14})$"+"\""};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
}
if(data.writeBytesPerSecond !== undefined){
let data3 = data.writeBytesPerSecond;
if((typeof data3 !== "string") && (data3 !== null)){
const err7 = {instancePath:instancePath+"/writeBytesPerSecond",schemaPath:"#/properties/writeBytesPerSecond/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
if(typeof data3 === "string"){
if(!pattern16.test(data3)){
const err8 = {instancePath:instancePath+"/writeBytesPerSecond",schemaPath:"#/properties/writeBytesPerSecond/pattern",keyword:"pattern",params:{pattern: "^(none|[1-9]\\d{0,14})$"},message:"must match pattern \""+"^(none|[1-9]\\d{0,14})$"+"\""};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
}
if(data.readAheadKiB !== undefined){
let data4 = data.readAheadKiB;
if((typeof data4 !== "string") && (data4 !== null)){
const err9 = {instancePath:instancePath+"/readAheadKiB",schemaPath:"#/properties/readAheadKiB/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(typeof data4 === "string"){
if(!pattern18.test(data4)){
const err10 = {instancePath:instancePath+"/readAheadKiB",schemaPath:"#/properties/readAheadKiB/pattern",keyword:"pattern",params:{pattern: "^(0|[1-9]\\d{0,4})$"},message:"must match pattern \""+"^(0|[1-9]\\d{0,4})$"+"\""};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
}
if(data.discard !== undefined){
let data5 = data.discard;
if((typeof data5 !== "string") && (data5 !== null)){
const err11 = {instancePath:instancePath+"/discard",schemaPath:"#/properties/discard/type",keyword:"type",params:{type: "string"},message:"must be string"};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
if(!((data5 === "on") || (data5 === "off"))){
const err12 = {instancePath:instancePath+"/discard",schemaPath:"#/properties/discard/enum",keyword:"enum",params:{allowedValues: schema13.properties.discard.enum},message:"must be equal to one of the allowed values"};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
}
else {
const err13 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object"};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
validate12.errors = vErrors;
return errors === 0;
}

